import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { type APIKey, apiKeyKind } from '../api/v1alpha1/apikey.ts'
import { ConfigurationError } from '../config/environment.ts'
import { readKmsConfig } from '../config/kms.ts'
import { KubeClient } from '../k8s/client.ts'
import { SECRETS, type SecretObject, secretText } from '../k8s/secret.ts'
import { type Envelope, open, parseEnvelope } from '../kms/envelope.ts'
import type { Context } from '../kms/keymanagement.ts'
import { apiKeyContext } from '../operator/apikey/aad.ts'
import { openKeyring } from './kms.ts'

const help = `Usage: cardea unwrap [-n NAMESPACE] NAME
       cardea unwrap --file PATH [-n NAMESPACE] [--name NAME] [--id ID]

Prints the secret that a wrapped Secret holds. It opens only in its place: the Secret's namespace and name and the id of
the APIKey that owns it are read from the cluster, not from the envelope.

  -n, --namespace NS  default: the namespace of the kubeconfig's context
  --file PATH         an envelope that is mounted, as in an init container. It must come from the pod's own namespace, or
                      from the one of -n; what is left open is taken on the envelope's word, and said on standard error
  --name NAME         with --file: the Secret's name
  --id ID             with --file: status.id of the APIKey
  --output PATH       write it to a file instead, for its owner and group to read, as in a volume that an init container
                      shares with the application
  --newline           end the output with a line break, also when it is not a terminal

  CARDEA_KMS                 the key that wrapped it: local, aws:REGION:ARN, gcp:NAME, azure:URL/keys/KEY, vault:MOUNT/KEY
  CARDEA_KMS_KEYS            or, beside the installation's key in CARDEA_KMS, those of organizations: NAMESPACE=KEY,…
  CARDEA_KMS_LOCAL_KEY_FILE  the key file of the local one
  CARDEA_KMS_VAULT_ADDRESS, CARDEA_KMS_VAULT_…
                             Vault, and how to log in to it
  KUBECONFIG                 the cluster
  docs/operations/settings.md has all of them. Credentials for a key manager come from its own variables and files.
`

/** What stops an unwrap; the message is for people. */
class UnwrapProblem extends Error {}

/** `cardea unwrap`. */
export async function runUnwrap(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        namespace: { type: 'string', short: 'n' },
        file: { type: 'string' },
        name: { type: 'string' },
        id: { type: 'string' },
        output: { type: 'string' },
        newline: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) {
      process.stdout.write(help)
      return 0
    }
    const sealed =
      values.file === undefined
        ? await fromCluster(values.namespace, positionals)
        : fromFile(values.file, values, positionals)
    const keyring = openKeyring(readKmsConfig(process.env))
    const plaintext = await open(
      keyring.of(sealed.context['namespace'] ?? null),
      sealed.envelope,
      sealed.context,
    )
    const isShown = values.output === undefined && process.stdout.isTTY
    const text = isShown || values.newline ? Buffer.concat([plaintext, newline]) : plaintext
    if (values.output === undefined) process.stdout.write(text)
    else writeAnew(values.output, text)
    return 0
  } catch (error) {
    process.stderr.write(`cardea unwrap: ${(error as Error).message}\n`)
    return error instanceof ConfigurationError || error instanceof TypeError ? 2 : 1
  }
}

const newline = Buffer.from('\n')

/** A file that is there is replaced: nobody may write to it, and an init container that is run again has to. */
function writeAnew(path: string, secret: Buffer): void {
  rmSync(path, { force: true })
  writeFileSync(path, secret, { flag: 'wx', mode: 0o440 })
}

interface Sealed {
  readonly envelope: Envelope
  readonly context: Context
}

async function fromCluster(
  given: string | undefined,
  positionals: readonly string[],
): Promise<Sealed> {
  const [name, ...rest] = positionals
  if (name === undefined || rest.length > 0)
    throw new UnwrapProblem('name one Secret: cardea unwrap -n NAMESPACE NAME')
  const config = new KubeConfig()
  config.loadFromDefault()
  const namespace =
    given ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'
  const client = KubeClient.fromKubeConfig(config, { userAgent: 'cardea-unwrap' })
  try {
    const secret = await client.get<SecretObject>(SECRETS, namespace, name)
    if (!secret) throw new UnwrapProblem(`there is no Secret "${name}" in namespace "${namespace}"`)
    const envelope = parseEnvelope(secretText(secret, 'envelope') ?? '')
    if (!envelope) throw new UnwrapProblem(`Secret "${name}" holds no envelope`)
    return { envelope, context: apiKeyContext(namespace, name, await ownerId(client, secret)) }
  } finally {
    await client.close()
  }
}

/** The stable id of the APIKey that controls the Secret. Other owners may stand beside it, and before it. */
async function ownerId(client: KubeClient, secret: SecretObject): Promise<string> {
  const owner = secret.metadata.ownerReferences?.find(
    (reference) => reference.kind === apiKeyKind.kind && reference.controller,
  )
  if (!owner) throw new UnwrapProblem(`Secret "${secret.metadata.name}" belongs to no APIKey`)
  const apiKey = await client.get<APIKey>(apiKeyKind, secret.metadata.namespace, owner.name)
  if (!apiKey?.status?.id)
    throw new UnwrapProblem(
      `APIKey "${owner.name}", which owns the Secret, is not there or has no id yet`,
    )
  return apiKey.status.id
}

interface Expected {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
  readonly id?: string | undefined
}

/** What the place of a mounted envelope is not told by, is taken on its own word, and that is said. */
function fromFile(path: string, options: Expected, positionals: readonly string[]): Sealed {
  if (positionals.length > 0) throw new UnwrapProblem('with --file, the Secret is named by --name')
  const envelope = parseEnvelope(readFileSync(path, 'utf8').trimEnd())
  if (!envelope) throw new UnwrapProblem(`${path} holds no envelope`)
  // Whoever can write a Secret that a pod mounts could put another namespace's envelope there.
  const expected = { ...options, namespace: options.namespace ?? podNamespace() }
  const place = { namespace: '', name: '', id: '', ...envelope.aad }
  const believed = (['namespace', 'name', 'id'] as const).filter(
    (part) => expected[part] === undefined,
  )
  if (believed.length > 0) {
    const claims = believed.map((part) => `${part} ${place[part]}`).join(', ')
    process.stderr.write(
      `cardea unwrap: on the envelope's own word: ${claims}; --namespace, --name and --id hold it to another\n`,
    )
  }
  const { namespace = place.namespace, name = place.name, id = place.id } = expected
  return { envelope, context: apiKeyContext(namespace, name, id) }
}

/** The namespace of the pod that this runs in; undefined outside of one. */
function podNamespace(): string | undefined {
  try {
    return readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/namespace', 'utf8').trim()
  } catch {
    return undefined
  }
}
