import { type BuiltInRole, builtInRoles } from '../../src/domain/role.ts'
import { code, table } from './markdown.ts'

const meant: Readonly<Record<BuiltInRole, string>> = {
  owner: 'those who hold the organization: everything',
  admin: 'those who run it: everything but the organization itself',
  developer: 'those who build on it: their API keys, and reading the rest',
  viewer: 'those who look',
  auditor: 'those who look, and may have the audit trail',
}

/** The built-in roles and what they permit, as `src/domain/role.ts` has it. */
export const builtInRolesTable = table(
  ['built-in role', 'for', 'permits'],
  (Object.keys(builtInRoles) as BuiltInRole[]).map((name) => [
    code(name),
    meant[name],
    builtInRoles[name].map(code).join(', '),
  ]),
)
