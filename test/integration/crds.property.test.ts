import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { organizationKind } from '../../src/api/v1alpha1/organization.ts'
import { rbacBindingKind } from '../../src/api/v1alpha1/rbacbinding.ts'
import { rbacRoleKind } from '../../src/api/v1alpha1/rbacrole.ts'
import type { KindDefinition } from '../../src/api/v1alpha1/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { type Resources, resourcesIn } from '../support/resources.ts'

/**
 * Each rule is written twice, in TypeScript and in CEL. Here both judge the same values, most of them nearly right, and
 * must refuse the same.
 */

let resources: Resources

beforeAll(async () => {
  const cluster = testCluster()
  resources = resourcesIn(cluster, await cluster.namespace())
})

/** Right values with up to two characters inserted, replaced or taken out. */
function nearly(...right: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  const character = fc.constantFrom(...('aZ09.-_/:@*%[] \t"\\dhms+,~é🔑'.match(/./gu) ?? []))
  const edit = fc.record({
    at: fc.nat(),
    take: fc.nat(1),
    put: fc.oneof(character, fc.constant('')),
  })
  return fc
    .tuple(fc.oneof(...right), fc.oneof(fc.constant([]), fc.array(edit, { maxLength: 2 })))
    .map(([text, edits]) =>
      edits
        .reduce((characters, { at, take, put }) => {
          characters.splice(at % (characters.length + 1), take, put)
          return characters
        }, Array.from(text))
        .join(''),
    )
}

const number = (max: number) => fc.integer({ min: 0, max }).map(String)
const join = (between: string, ...parts: fc.Arbitrary<string>[]) =>
  fc.tuple(...parts).map((texts) => texts.join(between))
const text = (pattern: RegExp) => fc.stringMatching(pattern)

const label = text(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/)
const domain = join('.', label, label)
const email = join('@', text(/^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,8}$/), domain)
const network = fc.oneof(
  join('/', join('.', number(256), number(256), number(10), fc.constantFrom('0', '1')), number(33)),
  join('/', fc.ipV4(), fc.constant('32')),
  join('/', fc.ipV6(), fc.constantFrom('128', '64', '129')),
  fc.constantFrom(
    '::/0',
    '::/00',
    '1::/16',
    '::1.2.3.4/128',
    '::ffff:1.2.3.4/128',
    'fe80::1%eth0/128',
    '1:2:3:4:5:6:7::/112',
  ),
)
const origin = fc.oneof(
  join(
    '',
    fc.constantFrom('http://', 'https://'),
    domain,
    fc.constantFrom('', ':80', ':443', ':8080'),
  ),
  join(':', fc.constantFrom('http://a', 'https://[::1]', 'https://1.2.3.4'), number(70_000)),
)
const duration = fc.oneof(
  text(/^([0-9]{1,3}[dhms]){1,3}$/),
  fc.constantFrom(
    '0s',
    '59s',
    '60s',
    '1m',
    '23h59m59s',
    '24h',
    '1d',
    '86401s',
    '3650d',
    '3651d',
    '999999999d',
  ),
)
const two = (max: number) =>
  fc.integer({ min: 0, max }).map((value) => String(value).padStart(2, '0'))
const time = join(
  '',
  join('-', fc.constantFrom('2026', '2028', '1999', '2100'), two(13), two(32)),
  fc.constant('T'),
  join(':', two(24), two(60), two(60)),
  fc.constantFrom('Z', '+00:00', '-23:59', '+24:00', ''),
)
const scope = text(/^[!#-[\]-~]{1,12}$/)
const permission = text(/^[a-z][a-z0-9-]{0,4}(\/[a-z][a-z0-9-]{0,3}){0,2}:([*]|[a-z][a-z-]{0,4})$/)
const line = fc.string({ unit: 'binary', maxLength: 20 })

const lists: readonly {
  readonly name: string
  readonly kind: KindDefinition
  readonly values: fc.Arbitrary<string>
  readonly max: number
  readonly spec: (values: readonly string[]) => object
}[] = [
  {
    name: 'domains',
    kind: organizationKind,
    values: domain,
    max: 50,
    spec: (domains) => ({ displayName: 'a', domains }),
  },
  {
    name: 'email addresses',
    kind: organizationKind,
    values: email,
    max: 50,
    spec: (owners) => ({ displayName: 'a', owners }),
  },
  { name: 'scopes', kind: apiKeyKind, values: scope, max: 100, spec: (scopes) => key({ scopes }) },
  {
    name: 'networks',
    kind: apiKeyKind,
    values: network,
    max: 64,
    spec: (allowedCIDRs) => key({ allowedCIDRs }),
  },
  {
    name: 'origins',
    kind: apiKeyKind,
    values: origin,
    max: 32,
    spec: (allowedOrigins) => key({ allowedOrigins }),
  },
  {
    name: 'permissions',
    kind: rbacRoleKind,
    values: permission,
    max: 200,
    spec: (permissions) => ({ organizationRef: { name: 'a' }, permissions }),
  },
  { name: 'users', kind: rbacBindingKind, values: email, max: 200, spec: subjects('User') },
  { name: 'groups', kind: rbacBindingKind, values: line, max: 200, spec: subjects('Group') },
  { name: 'API keys', kind: rbacBindingKind, values: domain, max: 200, spec: subjects('APIKey') },
]

const scalars: readonly {
  readonly name: string
  readonly kind: KindDefinition
  readonly spec: fc.Arbitrary<object>
}[] = [
  { name: 'times', kind: apiKeyKind, spec: nearly(time).map((expiresAt) => key({ expiresAt })) },
  {
    name: 'durations',
    kind: apiKeyKind,
    spec: fc
      .record({ every: nearly(duration), overlap: nearly(duration) })
      .map((rotation) => key({ rotation, rateLimit: { requests: 1, per: rotation.every } })),
  },
  {
    name: 'sessions',
    kind: organizationKind,
    spec: fc
      .record({ idle: nearly(duration), lifetime: nearly(duration) }, { requiredKeys: [] })
      .map((sessions) => ({ displayName: 'a', sessions })),
  },
  {
    name: 'names for people',
    kind: organizationKind,
    spec: fc.oneof(line, nearly(line)).map((displayName) => ({ displayName })),
  },
  {
    name: 'where a secret goes',
    kind: apiKeyKind,
    spec: fc
      .record(
        {
          secretRef: fc.record({ name: nearly(domain) }),
          digest: fc.record({ sha256: nearly(text(/^[0-9a-f]{64}$/)) }),
          rotation: fc.constant({ every: '2d', overlap: '1d' }),
        },
        { requiredKeys: [] },
      )
      .map((material) => key({ secretRef: undefined, ...material })),
  },
]

describe('the program and the API server agree', () => {
  test.each(lists)('on each of many $name', async ({ kind, values, max, spec }) => {
    const batch = fc.uniqueArray(nearly(values), { minLength: Math.min(max, 30), maxLength: max })
    await fc.assert(
      fc.asyncProperty(batch, async (batched) => {
        const { refusals } = await resources.judge(kind, 'a', spec(batched))
        const server = refusals.flatMap(({ field }) => /\[(\d+)\]/.exec(field)?.[1] ?? [])
        const issues = kind.spec.safeParse(spec(batched)).error?.issues ?? []
        const program = issues.map(({ path }) =>
          String(path.find((part) => typeof part === 'number')),
        )
        const named = (indices: readonly string[]) =>
          new Set(indices.map((index) => batched[Number(index)]))
        expect(named(server)).toEqual(named(program))
      }),
      { numRuns: 12 },
    )
  })

  test.each(scalars)('on $name', async ({ kind, spec }) => {
    await fc.assert(
      fc.asyncProperty(spec, async (candidate) => {
        const { admitted } = await resources.judge(kind, 'a', candidate)
        expect(admitted).toBe(kind.spec.safeParse(candidate).success)
      }),
      { numRuns: 100 },
    )
  })

  test('on names of organizations', async () => {
    await fc.assert(
      fc.asyncProperty(domain, async (name) => {
        const { admitted } = await resources.judge(organizationKind, name, { displayName: 'a' })
        expect(admitted).toBe(organizationKind.nameRules.every(({ holds }) => holds(name)))
      }),
      { numRuns: 30 },
    )
  })
})

function key(change: object): object {
  return { organizationRef: { name: 'a' }, scopes: [], secretRef: { name: 'a' }, ...change }
}

function subjects(kind: string) {
  return (names: readonly string[]) => ({
    organizationRef: { name: 'a' },
    role: 'viewer',
    subjects: names.map((name) => ({ kind, name })),
  })
}
