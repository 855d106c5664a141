import { afterAll, beforeAll, describe } from 'vitest'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { vaultKeyManagement } from '../../src/kms/vault.ts'
import { type KeyUnderTest, keyManagementContract } from '../support/keymanagement.ts'
import { type OpenBao, startOpenBao } from '../support/openbao.ts'

let bao: OpenBao
const opened: KeyManagement[] = []

beforeAll(async () => {
  bao = await startOpenBao()
})

afterAll(async () => {
  for (const key of opened) await key.close?.()
  await bao.stop()
})

const open = (name: string, settings = bao.settings): KeyManagement => {
  const key = vaultKeyManagement({ provider: 'vault', mount: 'transit', name }, settings)
  opened.push(key)
  return key
}

const make = async (): Promise<KeyUnderTest> => {
  const [name, another] = [await bao.createKey(), await bao.createKey()]
  await bao.allow([name, another])
  const { call } = bao.server
  return {
    kms: open(name),
    another: open(another),
    administrator: {
      async scheduleDeletion() {
        await call('DELETE', `transit/keys/${name}/soft-delete`)
      },
      async rotate() {
        await call('POST', `transit/keys/${name}/rotate`)
      },
      deny: () => bao.allow([another]),
      allow: () => bao.allow([name, another]),
    },
    wire: bao.wire,
  }
}

describe('the contract', () => {
  keyManagementContract(make, { hasWire: true, hasRights: true, canDisable: false })
})
