import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  ScheduleKeyDeletionCommand,
  UpdateAliasCommand,
} from '@aws-sdk/client-kms'
import {
  ministackRoot,
  type Ministack as Server,
  startMinistack as start,
} from '../../hack/local/ministack.ts'
import { ROOT } from '../../hack/local/place.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { type LossyProxy, openLossyProxy } from './lossyproxy.ts'
import { temporaryDirectory } from './servers.ts'

const region = 'eu-west-1'

/** An AWS of the test's own, with a user who has no rights yet. */
export interface Ministack {
  /** Through the way on which answers get lost. */
  readonly url: string
  readonly region: string
  readonly wire: LossyProxy
  /** The user's credentials, as the SDK reads them from the environment. */
  readonly credentials: Readonly<Record<string, string>>
  /** Makes a key with an alias; answers both. */
  createKey(): Promise<{ readonly arn: string; readonly alias: string }>
  readonly administrator: {
    disable(arn: string): Promise<void>
    enable(arn: string): Promise<void>
    scheduleDeletion(arn: string): Promise<void>
    /** Leads an alias to a fresh key; answers its ARN. */
    switch(alias: string): Promise<string>
    /** Gives the user the rights of the guide's policy on these keys, and no others. */
    allow(arns: readonly string[]): Promise<void>
    deny(): Promise<void>
    /** Makes a role that may use these keys, and that those may assume whom the policy trusts; answers its ARN. */
    createRole(trust: object, arns: readonly string[]): Promise<string>
    /** What a role is given to sign with for a quarter of an hour. */
    assume(role: string): Promise<SessionCredentials>
  }
  stop(): Promise<void>
}

interface SessionCredentials {
  readonly AccessKeyId: string
  readonly SecretAccessKey: string
  readonly SessionToken: string
}

const user = 'cardea'

export async function startMinistack(): Promise<Ministack> {
  const server = await start(temporaryDirectory('ministack'), terminalProgress())
  const wire = await openLossyProxy(server.url, {
    counts: ({ headers }) =>
      /^TrentService\.(Encrypt|Decrypt)$/.test(String(headers['x-amz-target'])),
    throttled: {
      status: 400,
      headers: { 'content-type': 'application/x-amz-json-1.1' },
      body: '{"__type":"ThrottlingException","message":"You have exceeded the rate at which you may call KMS."}',
    },
  })
  const root = new KMSClient({ region, endpoint: server.url, credentials: ministackRoot })
  const credentials = await createUser(server)
  const createKey = async (): Promise<string> => {
    const { KeyMetadata } = await root.send(new CreateKeyCommand({}))
    return KeyMetadata?.Arn ?? ''
  }
  return {
    url: wire.url,
    region,
    wire,
    credentials,
    async createKey() {
      const [arn, alias] = [await createKey(), `alias/${randomBytes(4).toString('hex')}`]
      await root.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: arn }))
      return { arn, alias }
    },
    administrator: {
      async disable(arn) {
        await root.send(new DisableKeyCommand({ KeyId: arn }))
      },
      async enable(arn) {
        await root.send(new EnableKeyCommand({ KeyId: arn }))
      },
      async scheduleDeletion(arn) {
        await root.send(new ScheduleKeyDeletionCommand({ KeyId: arn, PendingWindowInDays: 7 }))
      },
      async switch(alias) {
        const arn = await createKey()
        await root.send(new UpdateAliasCommand({ AliasName: alias, TargetKeyId: arn }))
        return arn
      },
      allow: (arns) => putPolicy(server, guidePolicy(arns)),
      deny: () => putPolicy(server, denyAll),
      async createRole(trust, arns) {
        const RoleName = `cardea-${randomBytes(4).toString('hex')}`
        const AssumeRolePolicyDocument = JSON.stringify(trust)
        const PolicyDocument = JSON.stringify(guidePolicy(arns))
        const made = await iam(server, { Action: 'CreateRole', RoleName, AssumeRolePolicyDocument })
        const policy = { RoleName, PolicyName: 'cardea', PolicyDocument }
        await iam(server, { Action: 'PutRolePolicy', ...policy })
        return tag(made, 'Arn')
      },
      async assume(role) {
        const session = { RoleArn: role, RoleSessionName: 'test', DurationSeconds: '900' }
        const answer = await query(server, 'sts', { Action: 'AssumeRole', ...session })
        return {
          AccessKeyId: tag(answer, 'AccessKeyId'),
          SecretAccessKey: tag(answer, 'SecretAccessKey'),
          SessionToken: tag(answer, 'SessionToken'),
        }
      },
    },
    async stop() {
      root.destroy()
      await wire.close()
      await server.stop()
    },
  }
}

const denyAll = { Version: '2012-10-17', Statement: { Effect: 'Deny', Action: '*', Resource: '*' } }

/** The policy that the guide gives, on these keys. */
function guidePolicy(arns: readonly string[]): object {
  const guide = readFileSync(path.join(ROOT, 'docs', 'guides', 'kms-aws.md'), 'utf8')
  const [, text] = /```json\n(\{\n {2}"Version": "2012-10-17"[^`]*)```/.exec(guide) ?? []
  if (text === undefined) throw new Error('the guide to AWS KMS has no policy')
  const policy: { Statement: { Resource: unknown }[] } = JSON.parse(text)
  for (const statement of policy.Statement) statement.Resource = arns
  return policy
}

async function createUser(server: Server): Promise<Record<string, string>> {
  await iam(server, { Action: 'CreateUser', UserName: user })
  const answer = await iam(server, { Action: 'CreateAccessKey', UserName: user })
  return {
    AWS_ACCESS_KEY_ID: tag(answer, 'AccessKeyId'),
    AWS_SECRET_ACCESS_KEY: tag(answer, 'SecretAccessKey'),
  }
}

async function putPolicy(server: Server, policy: object): Promise<void> {
  const PolicyDocument = JSON.stringify(policy)
  await iam(server, {
    Action: 'PutUserPolicy',
    UserName: user,
    PolicyName: 'cardea',
    PolicyDocument,
  })
}

/** What stands in an element of an answer. */
function tag(answer: string, name: string): string {
  return new RegExp(`<${name}>([^<]+)<`).exec(answer)?.[1] ?? ''
}

function iam(server: Server, parameters: Record<string, string>): Promise<string> {
  return query(server, 'iam', parameters)
}

/** The query API of IAM and STS, as the emulator's root, whose signature it does not look at. */
async function query(
  server: Server,
  service: 'iam' | 'sts',
  parameters: Record<string, string>,
): Promise<string> {
  const credential = `${ministackRoot.accessKeyId}/20260101/us-east-1/${service}/aws4_request`
  const answer = await fetch(server.url, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`,
    },
    body: new URLSearchParams({
      ...parameters,
      Version: service === 'iam' ? '2010-05-08' : '2011-06-15',
    }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${parameters['Action']} answers ${answer.status}: ${text}`)
  return text
}
