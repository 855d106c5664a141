import { afterAll, beforeAll, describe, vi } from 'vitest'
import { awsKeyManagement } from '../../src/kms/aws.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { Keyring } from '../../src/kms/keyring.ts'
import { type KeyUnderTest, keyManagementContract } from '../support/keymanagement.ts'
import { type Ministack, startMinistack } from '../support/ministack.ts'

let aws: Ministack
const opened: KeyManagement[] = []

beforeAll(async () => {
  aws = await startMinistack()
  for (const [name, value] of Object.entries(aws.credentials)) vi.stubEnv(name, value)
})

afterAll(async () => {
  for (const key of opened) await key.close?.()
  await aws.stop()
  vi.unstubAllEnvs()
})

const open = (keyId: string): KeyManagement => {
  const { url: endpoint, region } = aws
  const key = awsKeyManagement({ provider: 'aws', region, keyId }, { endpoint })
  opened.push(key)
  return key
}

/** A key by its alias, and another one by its ARN. */
const make = async (): Promise<KeyUnderTest> => {
  const [{ arn, alias }, another] = [await aws.createKey(), await aws.createKey()]
  const { administrator, region } = aws
  // AWS asks who may use the key that an alias leads to; the emulator asks who may use the alias.
  const arns = [arn, arn.replace(/key\/.*$/, alias), another.arn]
  await administrator.allow(arns)
  return {
    kms: open(alias),
    another: open(another.arn),
    keyring: new Keyring({
      open: (reference) => open(reference.provider === 'aws' ? reference.keyId : ''),
      defaultKey: { provider: 'aws', region, keyId: alias },
      allowed: [{ namespace: '*', key: `aws:${region}:${arn}` }],
    }).of('acme'),
    administrator: {
      disable: () => administrator.disable(arn),
      enable: () => administrator.enable(arn),
      scheduleDeletion: () => administrator.scheduleDeletion(arn),
      // The emulator cannot renew the material of a key; this is how imported material is rotated.
      async rotate() {
        arns.push(await administrator.switch(alias))
        await administrator.allow(arns)
      },
      deny: () => administrator.deny(),
      allow: () => administrator.allow(arns),
    },
    wire: aws.wire,
  }
}

describe('the contract', () => keyManagementContract(make, { hasWire: true, hasRights: true }))
