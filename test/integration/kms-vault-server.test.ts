import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../hack/local/port.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { splitProof, withProof } from '../../src/kms/proof.ts'
import type { VaultSettings } from '../../src/kms/reference.ts'
import { vaultKeyManagement } from '../../src/kms/vault.ts'
import { selfSigned } from '../support/certificate.ts'
import { type OpenBao, startOpenBao } from '../support/openbao.ts'
import { temporaryDirectory } from '../support/servers.ts'

const dataKey = randomBytes(32)
const context = { namespace: 'acme', name: 'ci-key' }
const directory = temporaryDirectory('vault')
const write = (name: string, content: string): string => {
  const place = path.join(directory, name)
  writeFileSync(place, content, { mode: 0o600 })
  return place
}
const { cert, key } = selfSigned(['127.0.0.1', 'localhost'])
const certFile = write('server.pem', cert)

let bao: OpenBao
/** A token that may do everything, creating keys included. */
let tokenFile: string
const opened: KeyManagement[] = []

/** A key, by a root's token and without the wire, with a connection of its own. */
const open = (
  name: string,
  settings: Partial<VaultSettings> = {},
  mount = 'transit',
): KeyManagement => {
  const kms = vaultKeyManagement(
    { provider: 'vault', mount, name },
    {
      address: bao.server.url,
      caFile: certFile,
      login: { method: 'token', tokenFile },
      ...settings,
    },
  )
  opened.push(kms)
  return kms
}

beforeAll(async () => {
  bao = await startOpenBao({ certificate: { certFile, keyFile: write('server.key', key) } })
  const { client_token } = await bao.server.call('POST', 'auth/token/create', {})
  tokenFile = write('token', String(client_token))
})

afterEach(async () => {
  for (const kms of opened.splice(0)) await kms.close?.()
})

afterAll(() => bao.stop())

describe('the key', () => {
  test.each(['aes256-gcm96', 'chacha20-poly1305', 'xchacha20-poly1305'])(
    'of the type %s binds a context',
    async (type) => {
      const kms = open(await bao.createKey({ type }))
      const wrapped = await kms.wrap(dataKey, context)
      expect(await kms.unwrap(wrapped, context)).toEqual(dataKey)
      await expect(kms.unwrap(wrapped, {})).rejects.toMatchObject({ code: 'refused' })
    },
  )

  test.each([
    ['of an asymmetric type', { type: 'rsa-2048' }],
    ['to sign with', { type: 'ed25519' }],
    ['of 128 bits', { type: 'aes128-gcm96' }],
    ['that is derived', { derived: true }],
  ])('%s is refused, and what would do is named', async (_, options) => {
    const kms = open(await bao.createKey(options))
    for (const use of [() => kms.describe(), () => kms.wrap(dataKey, context)]) {
      const refusal = use()
      await expect(refusal).rejects.toMatchObject({ code: 'refused' })
      await expect(refusal).rejects.toThrow('aes256-gcm96')
    }
  })

  test('that is not there is not made by wrapping, even by who might', async () => {
    await expect(open('misspelt').wrap(dataKey, context)).rejects.toMatchObject({
      code: 'not_found',
    })
    const { keys } = await bao.server.call('GET', 'transit/keys?list=true')
    expect(keys).not.toContain('misspelt')
  })

  test.each([
    ['misspelt', 'transit'],
    ['cardea', 'no/such/mount'],
  ])('%s of %s is not found', async (name, mount) => {
    await expect(open(name, {}, mount).describe()).rejects.toMatchObject({ code: 'not_found' })
  })

  test.each(['.', '..'])('named %s is none: it would mean another place in a URL', (name) => {
    expect(() => open(name)).toThrow('is not there')
  })

  test('whose old versions are shut out says who lets them in', async () => {
    const name = await bao.createKey()
    const kms = open(name)
    const wrapped = await kms.wrap(dataKey, context)
    await bao.server.call('POST', `transit/keys/${name}/rotate`)
    await bao.server.call('POST', `transit/keys/${name}/config`, { min_decryption_version: 2 })
    const use = kms.unwrap(wrapped, context)
    await expect(use).rejects.toMatchObject({ code: 'disabled' })
    await expect(use).rejects.toThrow('min_decryption_version')
  })

  test('that is soft-deleted says so when it is described', async () => {
    const name = await bao.createKey()
    await bao.server.call('DELETE', `transit/keys/${name}/soft-delete`)
    await expect(open(name).describe()).rejects.toMatchObject({ code: 'pending_deletion' })
  })

  test.each([
    ['a leading zero', (text: string) => text.replace('vault:v1:', 'vault:v01:')],
    ['a line end', (text: string) => `${text}\n`],
    ['padding where none is due', (text: string) => `${text}=`],
    ['the other alphabet', (text: string) => text.replaceAll('+', '-').replaceAll('/', '_')],
    ['another prefix', (text: string) => text.replace('vault:', 'Vault:')],
  ])('takes no second spelling of a ciphertext: %s', async (_, respell) => {
    const kms = open(await bao.createKey())
    // One that has everything that could be spelt otherwise.
    let wrapped = await kms.wrap(dataKey, context)
    const text = (): string => String(splitProof(wrapped.ciphertext)?.ciphertext)
    while (respell(text()) === text()) wrapped = await kms.wrap(dataKey, context)
    const ciphertext = withProof(Buffer.from(respell(text())), dataKey, context)
    await expect(kms.unwrap({ ...wrapped, ciphertext }, context)).rejects.toMatchObject({
      code: 'refused',
    })
  })
})

describe('the way to it', () => {
  test('a certificate of an unknown authority is refused, until the file has the right one', async () => {
    const caFile = write('authority.pem', selfSigned(['127.0.0.1']).cert)
    const kms = open(await bao.createKey(), { caFile })
    const use = kms.describe()
    await expect(use).rejects.toMatchObject({ code: 'unreachable' })
    await expect(use).rejects.toThrow('CARDEA_KMS_VAULT_CA_FILE')
    write('authority.pem', cert)
    expect(await kms.describe()).toMatchObject({ version: '1' })
  })

  test('a certificate for another name is refused', async () => {
    const { port } = bao.server
    const kms = open(await bao.createKey(), { address: `https://127.0.0.2:${port}` })
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('without the authority of its certificate it is refused', async () => {
    const kms = open(await bao.createKey(), { caFile: undefined })
    await expect(kms.describe()).rejects.toThrow('its certificate is not trusted')
  })

  test('an authority file that is missing is named', async () => {
    const kms = open('cardea', { caFile: '/nonexistent.pem' })
    await expect(kms.describe()).rejects.toThrow('/nonexistent.pem')
  })

  test('a server that is not there is unreachable', async () => {
    const kms = open('cardea', { address: `https://127.0.0.1:${await freePort()}` })
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('a redirect is not followed, so the token stays here', async () => {
    const elsewhere = await listen()
    const address = await listen(`http://127.0.0.1:${elsewhere.port}/v1/transit/keys/cardea`)
    const kms = open('cardea', { address: `http://127.0.0.1:${address.port}` })
    await expect(kms.describe()).rejects.toMatchObject({ code: 'unreachable' })
    expect([address.requests(), elsewhere.requests()]).toEqual([1, 0])
    address.server.close()
    elsewhere.server.close()
  })

  // The last: nothing opens it again.
  test('a server that is sealed is unreachable', async () => {
    const name = await bao.createKey()
    await bao.server.call('POST', 'sys/seal')
    await expect(open(name).describe()).rejects.toMatchObject({ code: 'unreachable' })
  })
})

/** A server that leads elsewhere, or says nothing. */
async function listen(
  location?: string,
): Promise<{ readonly server: Server; readonly port: number; requests(): number }> {
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    response.writeHead(location ? 307 : 200, location ? { location } : {}).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { server, port, requests: () => requests }
}
