import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { awsKeyManagement } from '../../src/kms/aws.ts'
import type { KeyManagement } from '../../src/kms/keymanagement.ts'
import { testCluster } from '../support/controlplane.ts'
import { type Ministack, startMinistack } from '../support/ministack.ts'
import { temporaryDirectory } from '../support/servers.ts'

const dataKey = randomBytes(32)
const context = { namespace: 'acme', name: 'ci-key' }
/** As `kube-apiserver --service-account-issuer` says. */
const issuer = 'kubernetes.default.svc'

let aws: Ministack
let arn: string
let kms: KeyManagement

beforeAll(async () => {
  aws = await startMinistack()
  ;({ arn } = await aws.createKey())
})
beforeEach(() => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  const { url: endpoint, region } = aws
  kms = awsKeyManagement({ provider: 'aws', region, keyId: arn }, { endpoint })
})
afterEach(async () => {
  await kms.close?.()
  vi.unstubAllEnvs()
})
afterAll(() => aws.stop())

const works = async (): Promise<void> => {
  expect(await kms.unwrap(await kms.wrap(dataKey, context), context)).toEqual(dataKey)
}

/** Lets a service account of the cluster be a role, if the role trusts it, as EKS does with IRSA. */
const irsa = async (trusted: string, account: string): Promise<void> => {
  const cluster = testCluster()
  const namespace = await cluster.namespace()
  await cluster.kubectl(['create', 'serviceaccount', account, `--namespace=${namespace}`])
  const role = await aws.administrator.createRole(
    {
      Version: '2012-10-17',
      Statement: {
        Effect: 'Allow',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Principal: { Federated: `arn:aws:iam::000000000000:oidc-provider/${issuer}` },
        Condition: {
          StringEquals: { [`${issuer}:sub`]: `system:serviceaccount:${namespace}:${trusted}` },
        },
      },
    },
    [arn],
  )
  const create = ['create', 'token', account, `--namespace=${namespace}`]
  const tokenFile = path.join(temporaryDirectory('irsa'), 'token')
  writeFileSync(tokenFile, await cluster.kubectl([...create, '--audience=sts.amazonaws.com']))
  vi.stubEnv('AWS_ROLE_ARN', role)
  vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', tokenFile)
  vi.stubEnv('AWS_ENDPOINT_URL_STS', aws.url)
}

test('IRSA: the service account that the role trusts may use the key', async () => {
  await irsa('cardea-operator', 'cardea-operator')
  await works()
})

test('IRSA: another service account is denied', async () => {
  await irsa('cardea-operator', 'another')
  await expect(kms.wrap(dataKey, context)).rejects.toMatchObject({ code: 'denied' })
})

test('EKS Pod Identity: the agent is asked with the token of the pod, and again before the credentials run out', async () => {
  const role = await aws.administrator.createRole(
    {
      Version: '2012-10-17',
      Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: '*' } },
    },
    [arn],
  )
  const asked: unknown[] = []
  let answered = 0
  const agent = createServer((request, response) => {
    asked.push(request.headers.authorization)
    response.on('finish', () => {
      answered += 1
    })
    void aws.administrator.assume(role).then(({ SessionToken: Token, ...keys }) => {
      const Expiration = new Date(Date.now() + 2000).toISOString()
      response.end(JSON.stringify({ ...keys, Token, Expiration }))
    })
  })
  agent.listen(0, '127.0.0.1')
  await once(agent, 'listening')
  const { port } = agent.address() as AddressInfo
  const tokenFile = path.join(temporaryDirectory('podidentity'), 'token')
  writeFileSync(tokenFile, 'the-token-of-the-pod')
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/v1/credentials`)
  vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', tokenFile)
  try {
    await works()
    // The SDK renews in the background: whoever comes while it still asks has the answer to that.
    await expect.poll(() => answered).toBe(asked.length)
    const before = asked.length
    await works()
    expect(asked.length).toBeGreaterThan(before)
    expect(new Set(asked)).toEqual(new Set(['the-token-of-the-pod']))
  } finally {
    agent.close()
  }
})
