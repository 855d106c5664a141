import { afterAll, describe, expect, test } from 'vitest'
import { isAlive } from '../../hack/local/processes.ts'
import { makeCheckout } from '../support/checkout.ts'

describe.each([
  ['vault', 'openbao', 'vault:transit/cardea'],
  ['aws', 'ministack', 'aws:eu-west-1:alias/cardea'],
])('./hack/up --kms %s', (kms, server, key) => {
  const checkout = makeCheckout()
  afterAll(() => checkout.hack('down', '--purge'))

  test('brings up a system whose secrets are wrapped there', async () => {
    const up = await checkout.hack('up', '--detach', '--kms', kms)
    expect(up.code, up.output).toBe(0)
    expect(up.output).toContain('GET /check?scope=scans:read → 200 · organization acme')
    expect(await checkout.variable('CARDEA_KMS')).toBe(key)
    const envelope = await checkout.sourced(
      `kubectl get secret ci-key -n acme -o jsonpath='{.data.envelope}' | base64 -d`,
    )
    expect(JSON.parse(envelope).kek.provider).toBe(kms)
    expect(await checkout.check(await checkout.unwrap(), 'scans:read')).toBe(200)
  })

  test('the other command ends its server, and the next start opens what the last one wrapped', async () => {
    const secret = await checkout.unwrap()
    const running = checkout.processes()[server]
    if (!running) throw new Error(`${server} does not run`)
    await checkout.hack('down')
    expect(isAlive(running)).toBe(false)
    const another = await checkout.hack('up', '--detach', '--kms', 'local')
    expect(another.code).toBe(1)
    expect(another.output).toContain(`The data in .cardea/ are wrapped with --kms ${kms}.`)
    const up = await checkout.hack('up', '--detach')
    expect(up.code, up.output).toBe(0)
    expect(await checkout.unwrap()).toBe(secret)
  })
})
