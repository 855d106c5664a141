import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { check } from '../support/ask.ts'
import { anAPIKey, anEncryptionKey, anOrganization } from '../support/build/resource.ts'
import { testCluster } from '../support/controlplane.ts'
import { apply, eventually, get, messageOf, patch, whenReady } from '../support/kube.ts'
import { type OpenBao, startOpenBao } from '../support/openbao.ts'
import { type System, startSystem } from '../support/system.ts'

let ns: string
let bao: OpenBao
let installationKey: string
let system: System
/** How every program finds its key: by the login of the operator's service account. */
let settings: Readonly<Record<string, string>>

beforeAll(async () => {
  ns = await testCluster().namespace()
  bao = await startOpenBao()
  installationKey = await bao.createKey()
  await bao.allow([installationKey])
  settings = {
    CARDEA_KMS: `vault:transit/${installationKey}`,
    CARDEA_KMS_KEYS: `${ns}=vault:transit/*`,
    CARDEA_KMS_VAULT_ADDRESS: bao.wire.url,
    CARDEA_KMS_VAULT_ROLE: 'cardea',
    CARDEA_KMS_VAULT_TOKEN_FILE: await loginByServiceAccount(bao),
  }
  system = await startSystem({ namespaces: [ns], operatorSettings: settings })
})
afterAll(async () => {
  await system.stop()
  await bao.stop()
})

/** Lets the operator's service account log in. Answers the file with a token of it. */
async function loginByServiceAccount({ server, directory }: OpenBao): Promise<string> {
  const cluster = testCluster()
  await server.call('POST', 'sys/auth/kubernetes', { type: 'kubernetes' })
  await server.call('POST', 'auth/kubernetes/config', {
    kubernetes_host: cluster.server,
    kubernetes_ca_cert: cluster.ca,
    token_reviewer_jwt: cluster.adminToken,
  })
  await server.call('POST', 'auth/kubernetes/role/cardea', {
    bound_service_account_names: 'cardea-operator',
    bound_service_account_namespaces: 'cardea-system',
    token_policies: 'cardea',
    token_ttl: '10m',
  })
  const tokenFile = path.join(directory, 'token')
  const namespace = '--namespace=cardea-system'
  writeFileSync(tokenFile, await cluster.kubectl(['create', 'token', 'cardea-operator', namespace]))
  return tokenFile
}

const unwrap = async (secret: string): Promise<string> => {
  const { code, stdout, stderr } = await system.cardea(['unwrap', `--namespace=${ns}`, secret], {
    env: settings,
  })
  expect(code, stderr).toBe(0)
  return stdout.trim()
}

/** Which key wrapped a Secret. */
const kekOf = async (secret: string): Promise<unknown> => {
  const { data } = (await get('secret', ns, secret)) ?? {}
  return JSON.parse(Buffer.from(data?.['envelope'] ?? '', 'base64').toString()).kek
}

test('an API key is wrapped by the key in Vault, opens, and is let in', async () => {
  await apply(anOrganization(ns, 'acme'), anAPIKey(ns, 'ci'))
  const { status } = await whenReady('apikey', ns, 'ci')
  const id = `transit/${installationKey}`
  expect(await kekOf(status.secretName)).toEqual({ provider: 'vault', id, version: '1' })
  const key = await unwrap(status.secretName)
  await eventually('the key is let in', async () =>
    (await check(system.auth.url, key)) === 200 ? true : undefined,
  )
})

test('an organization has its own key there, once the policy lets Cardea use it', async () => {
  const own = await bao.createKey()
  const vault = { mount: 'transit', name: own }
  const organizationRef = { name: 'globex' }
  await apply(
    anEncryptionKey(ns, 'own', { vault }),
    anOrganization(ns, 'globex', { encryptionKeyRef: { name: 'own' } }),
    anAPIKey(ns, 'globex-ci', { organizationRef }),
  )
  const denied = await whenReady('encryptionkey', ns, 'own', 'False', 'PermissionDenied')
  expect(messageOf(denied)).toContain(`transit/${own}`)

  await bao.allow([installationKey, own])
  const annotations = { 'cardea.dev/reconcile-requested-at': randomBytes(4).toString('hex') }
  await patch('encryptionkey', ns, 'own', { metadata: { annotations } })
  await whenReady('encryptionkey', ns, 'own')
  const { status } = await whenReady('apikey', ns, 'globex-ci')
  expect(await kekOf(status.secretName)).toEqual({
    provider: 'vault',
    id: `transit/${own}`,
    version: '1',
  })
  expect(await unwrap(status.secretName)).toMatch(/^ck_/)
})
