import { freePort } from '../../hack/local/port.ts'
import { sessionCookie } from '../../src/domain/session.ts'
import { testCluster } from './controlplane.ts'
import { type MailServer, startMailServer } from './mailserver.ts'
import { type System, startSystem } from './system.ts'

/** A whole system where people sign in, with their mail: an operator and two auth replicas. */
export interface PeopleSystem {
  readonly ns: string
  readonly system: System
  readonly mail: MailServer
  /** Where people reach it: the first replica. */
  readonly url: string
  /** Every replica. */
  readonly urls: readonly string[]
  stop(): Promise<void>
}

export async function startPeopleSystem(): Promise<PeopleSystem> {
  const ns = await testCluster().namespace()
  const mail = await startMailServer()
  const port = await freePort()
  const authSettings = {
    CARDEA_PUBLIC_URL: `http://127.0.0.1:${port}`,
    CARDEA_SELF_SERVICE: 'true',
    CARDEA_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    CARDEA_MAIL_FROM: 'Cardea <no-reply@cardea.example>',
  }
  const system = await startSystem({ namespaces: [ns], auths: 0, authSettings })
  await system.startAuth({ CARDEA_LISTEN: `127.0.0.1:${port}` })
  await system.startAuth()
  return {
    ns,
    system,
    mail,
    url: system.auth.url,
    urls: system.auths.map(({ url }) => url),
    async stop() {
      await system.stop()
      await mail.stop()
    },
  }
}

/** What the check says of a credential. */
export interface Checked {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

type Headers = Readonly<Record<string, string>>

/** What each replica says of a credential, as long as they agree; 0 where they do not. */
export async function checkEverywhere(
  urls: readonly string[],
  headers: Headers,
  question = '',
): Promise<Checked> {
  const answers = await Promise.all(
    urls.map((url) => fetch(`${url}/check${question}`, { headers })),
  )
  const statuses = new Set(answers.map(({ status }) => status))
  const [first] = answers
  return {
    status: statuses.size === 1 && first ? first.status : 0,
    headers: Object.fromEntries(first?.headers ?? []),
  }
}

/** The headers of a browser that has this session. */
export function cookieOf(session: string): Headers {
  return { cookie: `${sessionCookie}=${session}` }
}
