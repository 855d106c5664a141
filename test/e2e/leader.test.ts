import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeyKind } from '../../src/api/v1alpha1/apikey.ts'
import { digestApiKey } from '../../src/domain/apikey.ts'
import { isReady, type KubeObject } from '../../src/k8s/object.ts'
import { anAPIKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { admin, apply, eventually, type Live, whenReady } from '../support/kube.ts'
import { metric, type Program } from '../support/program.ts'
import { type System, startSystem } from '../support/system.ts'

const leases = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}
/** Milliseconds: the lease's duration, the wait between two tries, and what a busy machine takes. */
const takeover = 30_000

let ns: string
let system: System
/** Who had the lease, one after another; empty for nobody. */
const holders: string[] = []
const watching = new AbortController()

beforeAll(async () => {
  ns = await testCluster().namespace()
  system = await startSystem({ namespaces: [ns], auths: 0, operators: 0 })
  await recordWriters()
  await startOperator()
  await startOperator()
  await apply(anOrganization(ns, 'acme'))
  await whenReady('organization', ns, 'acme')
  void watchHolders()
})
afterAll(async () => {
  watching.abort()
  await system.stop()
})

/** Each says in the database who it is. */
function startOperator(): Promise<Program> {
  const url = new URL(system.database.operatorUrl)
  url.searchParams.set('application_name', `operator-${system.operators.length}`)
  return system.startOperator({ CARDEA_DATABASE_URL: url.href })
}

/** Has PostgreSQL note whose each statement is that changes something and is committed. */
async function recordWriters(): Promise<void> {
  await system.sql('create table public.writes (who text not null)')
  await system.sql(
    `create function public.note_writer() returns trigger language plpgsql security definer as $$
     begin insert into public.writes values (current_setting('application_name')); return null; end $$`,
  )
  for (const table of ['organizations', 'api_keys', 'api_key_secrets', 'audit_events']) {
    await system.sql(
      `create trigger note_writer after insert or update or delete on cardea.${table}
       execute function public.note_writer()`,
    )
  }
}

async function writesOf(who: string): Promise<number> {
  const [row] = await system.sql('select count(*)::int as n from public.writes where who = $1', who)
  return row?.n
}

async function watchHolders(): Promise<void> {
  const name = 'cardea-operator'
  const of = (lease: KubeObject & { spec?: { holderIdentity?: string } }) =>
    lease.spec?.holderIdentity ?? ''
  const { items, resourceVersion } = await admin().list(leases, { namespace: 'cardea-system' })
  holders.push(...items.filter(({ metadata }) => metadata.name === name).map(of))
  const selection = { namespace: 'cardea-system', resourceVersion, timeoutSeconds: 300 }
  try {
    for await (const event of await admin().watch(leases, selection, watching.signal)) {
      if (event.type === 'BOOKMARK' || event.object.metadata.name !== name) continue
      if (of(event.object) !== holders.at(-1)) holders.push(of(event.object))
    }
  } catch (error) {
    if (!watching.signal.aborted) throw error
  }
}

const isLeading = async (program: Program) => (await metric(program, 'cardea_leader')).get('') === 1

const leads = (program: Program) =>
  eventually('it leads', async () => ((await isLeading(program)) ? true : undefined), takeover)

function operator(at: number): Program {
  const program = system.operators[at]
  if (!program) throw new Error(`there is no operator ${at}`)
  return program
}

const selection = (batch: string) => ({ namespace: ns, labelSelector: `batch=${batch}` })
const countReady = async (batch: string) =>
  (await admin().list<Live>(apiKeyKind, selection(batch))).items.filter(isReady).length

/** Creates API keys; the leader is busy with them when it answers. */
async function keepBusy(batch: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, at) => `${batch}-${at}`)
  await Promise.all(names.map((name) => apply(anAPIKey(ns, name, {}, { labels: { batch } }))))
}

/** Every key of the batch is Ready, once, and its Secret holds what the database knows. */
async function expectConverged(batch: string, count: number): Promise<void> {
  await eventually(
    `${count} keys are Ready`,
    async () => ((await countReady(batch)) === count ? true : undefined),
    takeover,
  )
  const rows = await system.sql<{ name: string; digests: string[] }>(
    `select k.name, array_agg(encode(s.digest, 'hex')) as digests from cardea.api_keys k
     join cardea.api_key_secrets s on s.api_key_id = k.id where k.name like $1 group by k.name`,
    `${batch}-%`,
  )
  expect(rows.length).toBe(count)
  for (const { name, digests } of rows) {
    const key = await system.unwrap(ns, name)
    expect(digests).toEqual([digestApiKey(key).toString('hex')])
  }
}

test('one operator leads, and the other waits', async () => {
  await leads(operator(0))
  expect(await isLeading(operator(1))).toBe(false)
  expect(await writesOf('operator-1')).toBe(0)
})

test('SIGTERM drains the leader, gives the lease back, and the next leads at once', async () => {
  const [former, next] = [operator(0), operator(1)]
  await keepBusy('term', 40)
  const asked = performance.now()
  former.daemon.signal('SIGTERM')
  await eventually('it ends', () => former.daemon.ended)
  expect(former.daemon.ended).toBe('exited with 0')
  const ended = performance.now()
  await leads(next)
  const [drained, took] = [ended - asked, performance.now() - ended]
  console.info(`drained in ${drained.toFixed(0)} ms; the next leads ${took.toFixed(0)} ms later`)
  // Half a minute of waiting for a lease to run out would be more; the aim is 3 s.
  expect(took).toBeLessThan(6000)
  expect(holders.slice(-3)).toEqual(['operator-0', '', 'operator-1'])
  await expectConverged('term', 40)
})

test('a leader that was frozen while another took over ends, and has written nothing since', async () => {
  const [frozen, next] = [operator(1), await startOperator()]
  await keepBusy('frozen', 40)
  frozen.daemon.signal('SIGSTOP')
  const started = performance.now()
  const ready = await countReady('frozen')
  const before = await writesOf('operator-1')
  await leads(next)
  const took = (performance.now() - started).toFixed(0)
  console.info(`frozen with ${ready} of 40 Ready; replaced after ${took} ms`)
  await expectConverged('frozen', 40)
  expect(await writesOf('operator-1')).toBe(before)

  frozen.daemon.signal('SIGCONT')
  await eventually('it ends', () => frozen.daemon.ended)
  expect(frozen.daemon.ended).toBe('exited with 1')
  expect(frozen.log()).toContain('another operator leads')
  await sleep(500)
  expect(await writesOf('operator-1')).toBe(before)
  expect(await writesOf('operator-2')).toBeGreaterThan(0)
  const [leadership] = await system.sql('select epoch::int, holder from cardea.leadership')
  expect(leadership).toEqual({ epoch: 3, holder: 'operator-2' })
  await expectConverged('frozen', 40)
})

test('a leader that is killed leaves nothing undone and nothing done twice', async () => {
  const [killed, next] = [operator(2), await startOperator()]
  await keepBusy('killed', 40)
  killed.daemon.signal('SIGKILL')
  await eventually('it ends', () => killed.daemon.ended)
  const ready = await countReady('killed')
  const started = performance.now()
  await leads(next)
  const took = (performance.now() - started).toFixed(0)
  console.info(`killed with ${ready} of 40 Ready; replaced after ${took} ms`)
  await expectConverged('killed', 40)
})
