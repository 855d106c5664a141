import { readFile } from 'node:fs/promises'
import { load } from 'js-yaml'
import { expect, test } from 'vitest'
import { render, type Values } from './helm.ts'

const nonsense: readonly [Values, RegExp][] = [
  [{ 'operator.replicaz': 3 }, /'\/operator'.*'replicaz' not allowed/],
  [{ operators: {} }, /'operators' not allowed/],
  [{ 'auth.replicas': 'many' }, /'\/auth\/replicas': got string, want integer/],
  [{ 'auth.replicas': -1 }, /'\/auth\/replicas': minimum/],
  [{ 'operator.resyncInterval': 5 }, /'\/operator\/resyncInterval': got number, want string/],
  [{ 'operator.resyncInterval': '5 minutes' }, /'\/operator\/resyncInterval'.*'5 minutes'/],
  [{ 'operator.adoptOrganizations': ['acme'] }, /'\/operator\/adoptOrganizations\/0'.*'acme'/],
  [{ 'operator.allowPlainSecrets': 'yes' }, /allowPlainSecrets': got string, want boolean/],
  [{ 'auth.trustedProxies': ['10.0.0.0/40'] }, /'\/auth\/trustedProxies\/0'.*'10.0.0.0\/40'/],
  [{ 'auth.trustedProxies': ['proxy.acme.example'] }, /'\/auth\/trustedProxies\/0'/],
  [{ 'auth.bodyLimit': '64 KB' }, /'\/auth\/bodyLimit'/],
  [{ 'auth.ingress.enabled': true }, /'\/auth\/ingress\/hosts': minItems/],
  [{ 'auth.service.type': 'Public' }, /'\/auth\/service\/type': value must be one of/],
  [{ 'auth.service.port': 70000 }, /'\/auth\/service\/port': maximum/],
  [{ 'auth.publicUrl': 'http://id.acme.example' }, /'\/auth\/publicUrl'/],
  [{ 'auth.publicUrl': 'https://id.acme.example/login' }, /'\/auth\/publicUrl'/],
  [
    { 'auth.organizationHosts': '.id.acme.example' },
    /auth\.organizationHosts is set and auth\.publicUrl is not: .* https:/,
  ],
  [
    { 'auth.redis.url.secretName': 'redis' },
    /auth\.redis\.url\.secretName is set and auth\.publicUrl is not/,
  ],
  [{ 'auth.selfService': true }, /auth\.selfService is set and auth\.publicUrl is not/],
  [{ 'auth.smtp.from': 'a@acme.example' }, /auth\.smtp\.from is set and auth\.publicUrl is not/],
  [
    { 'auth.publicUrl': 'https://id.acme.example', 'auth.smtp.url.secretName': 'smtp' },
    /auth\.smtp\.from is not: set it to the address/,
  ],
  [{ 'auth.passwords.memory': 1024 }, /'\/auth\/passwords\/memory': minimum/],
  [{ 'image.digest': 'latest' }, /'\/image\/digest'/],
  [{ 'image.repository': '' }, /'\/image\/repository'/],
  [{ 'database.operator': {}, 'database.operator.secretName': '' }, /'\/database\/operator/],
  [{ 'database.password': 'hunter2' }, /'\/database'.*'password' not allowed/],
  [{ 'kms.key': 'rot13' }, /'\/kms\/key'/],
  [{ 'kms.vault.login': 'ldap' }, /'\/kms\/vault\/login'/],
  [{ logLevel: 'loud' }, /'\/logLevel': value must be one of/],
  [{ watchNamespaces: ['Acme_'] }, /'\/watchNamespaces\/0'/],
  [{ watchNamespaces: ['acme', 'acme'] }, /'\/watchNamespaces': items at 0 and 1 are equal/],
  [{ installation: 'a b' }, /'\/installation'/],
  [{ 'networkPolicy.postgresql.ports': ['5432'] }, /ports\/0': got string, want integer/],
  [{ 'operator.resources.limit': {} }, /'limit' not allowed/],
  [{ 'migrate.ttlSecondsAfterFinished': null, 'migrate.hook': 'pre' }, /'\/migrate\/hook'/],
]

test.each(nonsense)('%j is refused, by name', (values, message) => {
  expect(() => render(values)).toThrow(message)
})

interface Schema {
  readonly type?: string
  readonly additionalProperties?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly definitions?: Readonly<Record<string, Schema>>
}

test('no object takes a name that it does not know', async () => {
  const schema = JSON.parse(await readFile('charts/cardea/values.schema.json', 'utf8')) as Schema
  const loose = (part: Schema, path: string): readonly string[] => [
    ...(part.properties && part.additionalProperties !== false ? [path] : []),
    ...Object.entries(part.properties ?? {}).flatMap(([name, child]) =>
      loose(child, `${path}.${name}`),
    ),
    ...Object.entries(part.definitions ?? {}).flatMap(([name, child]) => loose(child, `#${name}`)),
  ]
  expect(loose(schema, '')).toEqual([])
})

test('every value that the schema knows is in values.yaml, and the other way round', async () => {
  const schema = JSON.parse(await readFile('charts/cardea/values.schema.json', 'utf8')) as Schema
  const values = load(await readFile('charts/cardea/values.yaml', 'utf8')) as object
  const known = Object.keys(schema.properties ?? {}).filter((name) => name !== 'global')
  expect(Object.keys(values)).toEqual(known)
})
