import { expect, test } from 'vitest'
import { builtInRoleNames } from '../api/v1alpha1/rbacrole.ts'
import { builtInRoles } from '../domain/role.ts'

test('the roles that an RBACRole may not be called are the ones that are built in', () => {
  expect([...builtInRoleNames].toSorted()).toEqual(Object.keys(builtInRoles).toSorted())
})
