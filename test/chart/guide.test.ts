import { glob, readFile, stat } from 'node:fs/promises'
import { load } from 'js-yaml'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { migrate, migrations } from '../../src/db/migrate.ts'
import { startPostgres } from '../support/postgres.ts'
import { notes, render } from './helm.ts'

const guide = await readFile('docs/operations/install.md', 'utf8')

test('the SQL that the installation guide gives to an administrator is enough to migrate', async () => {
  const [, sql = ''] = /```sql\n([^]*?)```/.exec(guide) ?? []
  // A server of its own: roles belong to the whole server, and the shared one has them.
  const postgres = await startPostgres()
  try {
    const administrator = await connect(postgres.superuserUrl('postgres'))
    await administrator.query('create database cardea')
    await administrator.end()
    const owner = await connect(postgres.superuserUrl('cardea'))
    await owner.query(sql)
    await owner.query(`alter role cardea_migrate password 'm'; alter role cardea_auth password 'a'`)
    await owner.end()

    const as = (role: string, password: string) => {
      const url = new URL(postgres.superuserUrl('cardea'))
      Object.assign(url, { username: role, password })
      return url.href
    }
    expect(await migrate({ url: as('cardea_migrate', 'm') })).toHaveLength(
      (await migrations()).length,
    )
    const auth = await connect(as('cardea_auth', 'a'))
    const { rows } = await auth.query(
      'select max(version) as version from cardea.schema_migrations',
    )
    expect(rows[0]).toEqual({ version: (await migrations()).length })
    await auth.end()
  } finally {
    await postgres.stop()
  }
})

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  await client.connect()
  return client
}

test('every value that the guides set is one of the chart', async () => {
  const values = await readFile('charts/cardea/README.md', 'utf8')
  const pages = await Promise.all(
    ['install', 'upgrade', 'monitoring'].map((name) =>
      readFile(`docs/operations/${name}.md`, 'utf8'),
    ),
  )
  const set = [...pages.join('\n').matchAll(/--set '?([A-Za-z.]+)=/g)].map(([, name]) => name ?? '')
  expect(set.length).toBeGreaterThan(10)
  for (const name of set) {
    // Labels and the like are maps: what is below them is the reader's.
    const isKnown =
      values.includes(`\`${name}\``) || values.includes(`\`${name.replace(/\.[^.]+$/, '')}\``)
    expect(isKnown, name).toBe(true)
  }
})

test.each(['aws', 'azure', 'gcp', 'vault'])(
  'the values in the guide to %s are a whole installation with such a key',
  async (provider) => {
    const page = await readFile(`docs/guides/kms-${provider}.md`, 'utf8')
    // Not the resources, and not the files of other tools.
    const blocks = [...page.matchAll(/```yaml\n((?:kms|operator|auth):[^]*?)```/g)]
    const values = blocks
      .flatMap(([, yaml = '']) => Object.entries(load(yaml) as Record<string, object>))
      .flatMap(([part, settings]) =>
        Object.entries(settings).map(([name, value]) => [`${part}.${name}`, value] as const),
      )
    const whole = Object.fromEntries(values)
    expect(whole).toMatchObject({ 'kms.key': expect.stringMatching(`^${provider}:`) })
    expect(() => render(whole)).not.toThrow()
    expect(notes(whole)).not.toContain('WARNING')
  },
)

test('every link of the guides leads somewhere', async () => {
  const pages = [
    'README.md',
    'SECURITY.md',
    'charts/cardea/README.md',
    'charts/cardea-crds/README.md',
    'config/argocd/README.md',
    ...(await Array.fromAsync(glob('docs/**/*.md'))),
  ]
  for (const page of pages) {
    const links = [...(await readFile(page, 'utf8')).matchAll(/\]\((?!https?:)([^)#]+)/g)]
    for (const [, link = ''] of links) {
      const target = new URL(link, new URL(page, 'file:///'))
      const found = await stat(`.${target.pathname}`).then(Boolean, () => false)
      expect(found, `${page}: ${link}`).toBe(true)
    }
  }
})
