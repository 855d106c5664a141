import { ConfigurationError, type Environment, readEnvironment } from './environment.ts'
import {
  flag,
  integer,
  listOf,
  otherwise,
  pattern,
  publicUrl,
  redisUrl,
  secureUrl,
  word,
} from './setting.ts'
import { sender, smtpServer } from './smtp.ts'

/** The variables of the accounts of people. */
export const peopleSettings = {
  CARDEA_PUBLIC_URL: publicUrl().optional(),
  CARDEA_ORGANIZATION_HOSTS: pattern(
    /^(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){2,10}$/,
    'must be a domain with a dot before it, for example .id.example.com',
  ).optional(),
  CARDEA_SELF_SERVICE: otherwise('false', flag()),
  CARDEA_SELF_SERVICE_DOMAINS: listOf(
    pattern(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, ''),
    'must be domains in lower case with commas between, for example example.com, example.org',
  ).optional(),
  CARDEA_SMTP_URL: smtpServer().optional(),
  CARDEA_SMTP_CA_FILE: word(4096).optional(),
  CARDEA_MAIL_FROM: sender().optional(),
  CARDEA_REDIS_URL: redisUrl().optional(),
  // RFC 9106 and OWASP: never less than 19 MiB with two passes.
  CARDEA_ARGON2_MEMORY: otherwise('19456', integer({ min: 19_456, max: 1_048_576 })),
  CARDEA_ARGON2_ITERATIONS: otherwise('2', integer({ min: 2, max: 20 })),
  CARDEA_PASSWORD_QUEUE: otherwise('200', integer({ min: 1, max: 10_000 })),
  CARDEA_PASSWORD_WORKERS: otherwise('1', integer({ min: 1, max: 64 })),
  CARDEA_BREACHED_PASSWORDS_URL: secureUrl(
    'must be a URL of https, such as https://api.pwnedpasswords.com/range/',
  ).optional(),
}

/** How people are served. */
export type PeopleConfig = NonNullable<ReturnType<typeof readPeopleConfig>>

/**
 * @returns undefined without a public URL: then nobody signs in here
 * @throws ConfigurationError naming a variable that another one needs
 */
export function readPeopleConfig(environment: Environment) {
  const settings = readEnvironment(environment, peopleSettings)
  const url = settings.CARDEA_PUBLIC_URL
  const needy = Object.keys(peopleSettings).find((variable) => environment[variable])
  if (url === undefined) {
    if (needy === undefined) return undefined
    throw missing('CARDEA_PUBLIC_URL', `must be where people reach the pages, for ${needy} is set`)
  }
  const server = settings.CARDEA_SMTP_URL
  const from = settings.CARDEA_MAIL_FROM
  if (server !== undefined && from === undefined) {
    throw missing('CARDEA_MAIL_FROM', 'must be who mails are from, for CARDEA_SMTP_URL is set')
  }
  return Object.freeze({
    /** Without a slash at its end. */
    publicUrl: url,
    /** `.id.example.com`: the organization acme has the host acme.id.example.com. */
    organizationHosts: settings.CARDEA_ORGANIZATION_HOSTS,
    selfService: settings.CARDEA_SELF_SERVICE,
    /** Email domains whose people may register; none: any. */
    selfServiceDomains: settings.CARDEA_SELF_SERVICE_DOMAINS ?? [],
    /** Undefined: mails wait in their queue. */
    smtp: server && from && { server, sender: from, caFile: settings.CARDEA_SMTP_CA_FILE },
    /** Undefined: each replica counts for itself. */
    redis: settings.CARDEA_REDIS_URL,
    passwords: {
      /** KiB. */
      memory: settings.CARDEA_ARGON2_MEMORY,
      iterations: settings.CARDEA_ARGON2_ITERATIONS,
      /** How many may wait for their hash. */
      queue: settings.CARDEA_PASSWORD_QUEUE,
      workers: settings.CARDEA_PASSWORD_WORKERS,
    },
    /** Where breached passwords are looked up; undefined: nowhere. */
    breachedPasswordsUrl: settings.CARDEA_BREACHED_PASSWORDS_URL,
  })
}

function missing(variable: string, problem: string): ConfigurationError {
  return new ConfigurationError([{ variable, problem: `is not set: it ${problem}` }])
}
