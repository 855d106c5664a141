import { readFileSync } from 'node:fs'
import type { Agent } from 'undici'
import { KeyManagementError } from './keymanagement.ts'

/** What a server of Vault answered. What is no JSON object reads as an empty one. */
export interface VaultAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

interface Call {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`. */
  readonly path: string
  readonly token?: string
  readonly body?: object
}

/** Bytes. No answer that is used is near this. */
const answerLimit = 65_536

/** Connections to one server at once. */
const connections = 16

/** The HTTP API of a server: HashiCorp Vault and OpenBao speak the same. Redirects are not followed: the token goes nowhere else. */
export class VaultConnection {
  readonly #address: string
  readonly #caFile: string | undefined
  #agent: Agent | undefined

  constructor({
    address,
    caFile,
  }: { readonly address: string; readonly caFile?: string | undefined }) {
    this.#address = address.replace(/\/+$/, '')
    this.#caFile = caFile
  }

  /** @throws KeyManagementError `unreachable` when no whole answer came */
  async call({ method, path, token, body }: Call, signal?: AbortSignal): Promise<VaultAnswer> {
    // Loaded with the first use: nobody without a key of Vault has to spend its 25 MB of memory.
    const undici = await import('undici')
    const agent = this.#connect(undici)
    try {
      const answer = await undici.request(`${this.#address}/v1/${path}`, {
        method,
        dispatcher: agent,
        headers: {
          'content-type': 'application/json',
          'x-vault-request': 'true',
          ...(token !== undefined && { 'x-vault-token': token }),
        },
        ...(body && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      })
      return { status: answer.statusCode, body: await read(answer.body) }
    } catch (error) {
      // Authorities are renewed: the next call reads their file again.
      if (this.#agent === agent && isUntrusted(error)) this.#disconnect()
      throw unreachable(this.#address, error)
    }
  }

  async close(): Promise<void> {
    await this.#agent?.destroy()
    this.#agent = undefined
  }

  #connect(undici: typeof import('undici')): Agent {
    this.#agent ??= new undici.Agent({
      connections,
      connect: {
        timeout: 5000,
        ...(this.#caFile !== undefined && { ca: authorities(this.#caFile) }),
      },
    })
    return this.#agent
  }

  #disconnect(): void {
    void this.#agent?.close()
    this.#agent = undefined
  }
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<VaultAnswer['body']> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream) {
    length += chunk.length
    if (length > answerLimit) throw new Error('the answer is too large')
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString())
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function authorities(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    const message = `the authorities of Vault's certificate cannot be read from ${file}: mount the file`
    throw new KeyManagementError('unreachable', message)
  }
}

function isUntrusted(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /CERT|SIGNATURE|TLS/.test(code)
}

function unreachable(address: string, error: unknown): KeyManagementError {
  if (error instanceof KeyManagementError) return error
  const why = isUntrusted(error)
    ? 'its certificate is not trusted: check CARDEA_KMS_VAULT_CA_FILE and the name in the address'
    : 'it did not answer'
  return new KeyManagementError(
    'unreachable',
    `Vault at ${address} cannot be used just now: ${why}`,
  )
}
