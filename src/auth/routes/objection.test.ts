import { expect, test } from 'vitest'
import { z } from 'zod'
import { inviteRequest } from './invitation.ts'
import { rolesRequest } from './member.ts'
import { objectionsOf } from './objection.ts'
import { signInRequest } from './signin.ts'
import { refreshRequest } from './token.ts'

function objections(schema: z.ZodType, value: unknown): readonly string[] {
  const { error } = schema.safeParse(value)
  return error ? objectionsOf(error, value) : []
}

const signIn = { organization: 'acme', email: 'ada@acme.example', password: 'secret' }

test.each<[string, z.ZodType, unknown, readonly string[]]>([
  ['nothing', signInRequest, undefined, ['The body is missing.']],
  ['a list', signInRequest, [], ['The body must be an object.']],
  ['an empty body', signInRequest, {}, ['"email" is missing.', '"password" is missing.']],
  [
    'another spelling',
    refreshRequest,
    { refreshToken: 'cr_secret' },
    ['"refresh_token" is missing.', '"refreshToken" is not known here.'],
  ],
  [
    'another choice',
    signInRequest,
    { ...signIn, session: 'tokens' },
    ['"session" must be one of: cookie, token.'],
  ],
  ['no address', signInRequest, { ...signIn, email: 'x' }, ['"email" must be an email address.']],
  [
    'no name',
    signInRequest,
    { ...signIn, organization: 'Acme Inc.' },
    [
      '"organization" must be the short name of an organization: letters, digits and inner hyphens.',
    ],
  ],
  [
    'a list for a text',
    signInRequest,
    { ...signIn, password: ['secret'] },
    ['"password" must be a string.'],
  ],
  ['an empty text', signInRequest, { ...signIn, password: '' }, ['"password" must not be empty.']],
  [
    'too long a text',
    signInRequest,
    { ...signIn, password: 'secret'.repeat(1000) },
    ['"password" must be at most 4096 long.'],
  ],
  ['no role', inviteRequest, { email: 'ada@acme.example' }, ['"role" is missing.']],
  [
    'a role within that is none',
    rolesRequest,
    { roles: [{ role: 'admin' }, { role: 'A B' }] },
    ['"roles[1].role" must be a name: lower-case letters, digits and inner hyphens.'],
  ],
  [
    'a name that is none of a field',
    refreshRequest,
    { refresh_token: 'x', 'ck_secret secret': 1 },
    ['There is a field that is not known here.'],
  ],
])('of %s it says which field is wrong and how, and no value', (_name, schema, value, expected) => {
  const said = objections(schema, value)
  expect(said).toEqual(expected)
  expect(said.join(' ')).not.toContain('secret')
})

test('of many it says some', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`f${n}`, n]))
  expect(objections(refreshRequest, many)).toHaveLength(8)
})

test('every field of a form is a text', () => {
  expect(objections(z.object({ token: z.string() }), { token: undefined })).toEqual([
    '"token" is missing.',
  ])
})
