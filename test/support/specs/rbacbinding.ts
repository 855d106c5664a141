import { rbacBindingKind } from '../../../src/api/v1alpha1/rbacbinding.ts'
import { filled, type KindSpecs, many } from './spec.ts'

const user = { kind: 'User', name: 'lead@acme.example' }

export const rbacBindingSpecs: KindSpecs = {
  kind: rbacBindingKind,
  valid: { organizationRef: { name: 'acme' }, role: 'viewer', subjects: [user] },
  accepted: [
    { name: 'the least', change: {} },
    {
      name: 'the example of the design',
      change: {
        projectRef: { name: 'scanner' },
        role: 'admin',
        subjects: [user, { kind: 'Group', name: 'platform' }, { kind: 'APIKey', name: 'ci' }],
      },
    },
    {
      name: 'a group as a directory spells it',
      change: { subjects: [{ kind: 'Group', name: 'CN=Platform Team,OU=Büro' }] },
    },
    {
      name: 'two subjects of one name and different kinds',
      change: {
        subjects: [
          { kind: 'Group', name: 'ci' },
          { kind: 'APIKey', name: 'ci' },
        ],
      },
    },
    {
      name: 'everything at its greatest',
      change: {
        organizationRef: { name: filled(63) },
        projectRef: { name: filled(63) },
        role: filled(63),
        subjects: many(
          200,
          (i) => `${filled(64, `u${i}`)}@${many(3, () => filled(62)).join('.')}`,
        ).map((name) => ({ kind: 'User', name })),
      },
    },
    {
      name: 'the longest names of groups',
      change: {
        subjects: many(200, (i) => '👥'.repeat(250) + String(i + 1000)).map((name) => ({
          kind: 'Group',
          name,
        })),
      },
    },
  ],
  refused: [
    { name: 'no role', change: { role: undefined }, field: 'spec.role', says: 'Required value' },
    {
      name: 'a role with capitals',
      change: { role: 'Admin' },
      field: 'spec.role',
      says: 'for example developer',
    },
    {
      name: 'a role of 64 characters',
      change: { role: filled(64) },
      field: 'spec.role',
      says: 'may not be more than 63',
    },
    {
      name: 'no subjects',
      change: { subjects: [] },
      field: 'spec.subjects',
      says: 'at least 1 items',
    },
    {
      name: '201 subjects',
      change: { subjects: many(201, (i) => `g${i}`).map((name) => ({ kind: 'Group', name })) },
      field: 'spec.subjects',
      says: 'must have at most 200 items',
    },
    {
      name: 'the same subject twice',
      change: { subjects: [user, user] },
      field: 'spec.subjects[1]',
      says: 'Duplicate value',
    },
    {
      name: 'a subject of a kind that does not exist',
      change: { subjects: [{ kind: 'ServiceAccount', name: 'ci' }] },
      field: 'spec.subjects[0].kind',
      says: '"User", "Group", "APIKey"',
    },
    {
      name: 'a user with capitals',
      change: { subjects: [{ kind: 'User', name: 'Lead@acme.example' }] },
      field: 'spec.subjects[0].name',
      says: 'email address in lower case',
    },
    {
      name: 'a user without a domain',
      change: { subjects: [{ kind: 'User', name: 'lead' }] },
      field: 'spec.subjects[0].name',
      says: 'for example lead@acme.example',
    },
    {
      name: 'an API key whose name no APIKey can have',
      change: { subjects: [{ kind: 'APIKey', name: 'CI' }] },
      field: 'spec.subjects[0].name',
      says: 'metadata.name of an APIKey',
    },
    {
      name: 'a group whose name is empty',
      change: { subjects: [{ kind: 'Group', name: '' }] },
      field: 'spec.subjects[0].name',
      says: 'at least 1 chars',
    },
    {
      name: 'a group whose name has a line break',
      change: { subjects: [{ kind: 'Group', name: 'a\nb' }] },
      field: 'spec.subjects[0].name',
      says: 'leave out line breaks',
    },
    {
      name: 'a deletionPolicy, where no data hangs on it',
      change: { deletionPolicy: 'Retain' },
      field: '',
      says: 'unknown field "spec.deletionPolicy"',
    },
    {
      name: 'an organizationRef with capitals',
      change: { organizationRef: { name: 'ACME' } },
      field: 'spec.organizationRef.name',
      says: 'for example acme',
    },
    {
      name: 'a projectRef with capitals',
      change: { projectRef: { name: 'X' } },
      field: 'spec.projectRef.name',
      says: 'for example scanner',
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
