import { rbacRoleKind } from '../../../src/api/v1alpha1/rbacrole.ts'
import { filled, type KindSpecs, many } from './spec.ts'

export const rbacRoleSpecs: KindSpecs = {
  kind: rbacRoleKind,
  valid: { organizationRef: { name: 'acme' }, permissions: ['scans:read'] },
  accepted: [
    { name: 'the least', change: {} },
    {
      name: 'paths, every verb and hyphens',
      change: { permissions: ['scans/results:*', 'api-keys:re-issue', 'v2/a:read'] },
    },
    {
      name: 'everything at its greatest',
      metadataName: filled(63),
      change: {
        organizationRef: { name: filled(63) },
        description: filled(500),
        permissions: many(200, (i) => filled(128, `r${i}`, ':read')),
      },
    },
  ],
  refused: [
    {
      name: 'the name of a built-in role',
      metadataName: 'admin',
      change: {},
      field: 'metadata.name',
      says: 'choose another name',
    },
    {
      name: 'a name that no binding can give',
      metadataName: 'scan.reader',
      change: {},
      field: 'metadata.name',
      says: 'for example scan-reader',
    },
    {
      name: 'no permissions',
      change: { permissions: [] },
      field: 'spec.permissions',
      says: 'at least 1 items',
    },
    {
      name: 'a permission without a verb',
      change: { permissions: ['scans'] },
      field: 'spec.permissions[0]',
      says: 'resource:verb',
    },
    {
      name: 'a permission on everything',
      change: { permissions: ['*:*'] },
      field: 'spec.permissions[0]',
      says: 'for example scans:read',
    },
    {
      name: 'a permission with capitals',
      change: { permissions: ['Scans:read'] },
      field: 'spec.permissions[0]',
      says: 'in lower case',
    },
    {
      name: 'a path with a slash at its end',
      change: { permissions: ['scans/:read'] },
      field: 'spec.permissions[0]',
      says: 'scans/results:*',
    },
    {
      name: 'the same permission twice',
      change: { permissions: ['a:b', 'a:b'] },
      field: 'spec.permissions[1]',
      says: 'Duplicate value',
    },
    {
      name: 'a permission of 129 characters',
      change: { permissions: [filled(129, '', ':read')] },
      field: 'spec.permissions[0]',
      says: 'may not be more than 128',
    },
    {
      name: '201 permissions',
      change: { permissions: many(201, (i) => `r${i}:read`) },
      field: 'spec.permissions',
      says: 'must have at most 200 items',
    },
    {
      name: 'an organizationRef with a dot',
      change: { organizationRef: { name: 'a.b' } },
      field: 'spec.organizationRef.name',
      says: 'for example acme',
    },
  ],
  refusedChanges: [
    {
      name: 'another organization',
      from: {},
      to: { organizationRef: { name: 'other' } },
      field: 'spec.organizationRef',
      says: 'create it anew for the other organization',
    },
  ],
}
