import { z } from 'zod'
import { keyReasons } from './conditions.ts'
import { celSeconds, duration, secondsOf } from './duration.ts'
import { deletionPolicy, lifecycle } from './lifecycle.ts'
import { mapOf, setOf } from './list.ts'
import { domainName, email, labelPattern, objectName } from './name.ts'
import { origin } from './origin.ts'
import { dataHandling, providerCredentials, quota } from './policy.ts'
import { defineKind, type Resource } from './resource.ts'
import { celString, withRules } from './rule.ts'
import { scopeToken } from './scope.ts'
import { commonStatus } from './status.ts'
import { line, matching, paragraph, text } from './text.ts'
import { timestamp } from './timestamp.ts'

const managements = ['GitOps', 'Mixed'] as const
const signInMethods = ['Password', 'EmailCode', 'Passkey', 'SSO'] as const

/** What a setting says of itself for as long as there is nothing to obey it. */
const later = (what: string) =>
  `This setting is stored now and takes effect with the version of Cardea that brings ${what}.`

const apiKeys = z.strictObject({
  prefix: matching(
    'prefix',
    10,
    /^[a-z][a-z0-9]{1,9}$/,
    'apiKeys.prefix must have 2 to 10 lower-case letters and digits, a letter first, for example ck',
  )
    .describe(
      'What every new key of the organization begins with, before the underscore: 2 to 10 lower-case letters and digits, a letter first. Keys that exist keep theirs. Example: acme. Default: ck.',
    )
    .optional(),
  maxLifetime: duration('apiKeys.maxLifetime', ['1m', '3650d'], '365d')
    .describe(
      'The longest time from the creation of an API key to its expiresAt. With it, a key without expiresAt is Stalled with reason LifetimeTooLong. A duration. Example: 365d. Default: no limit.',
    )
    .optional(),
})

const scope = z.strictObject({
  name: scopeToken('scopes.name').describe(
    'The scope as keys and requests name it. Example: scans:read.',
  ),
  description: paragraph('description', 500)
    .describe(
      'What the scope allows, for people. Example: Read the results of scans. Default: none.',
    )
    .optional(),
})

const password = z.strictObject({
  minLength: z
    .int()
    .min(8)
    .max(128)
    .describe(
      'The least number of characters, 8 to 128. Default: 15 (NIST SP 800-63B-4, where a password is the only factor).',
    )
    .optional(),
  complexity: z
    .enum(['None', 'Complex'])
    .describe(
      'None: any characters. Complex: at least one each of lower case, upper case, digits and others. Default: None (NIST SP 800-63B-4).',
    )
    .optional(),
  history: z
    .int()
    .min(0)
    .max(24)
    .describe('How many former passwords may not come again, 0 to 24. Default: 0.')
    .optional(),
})

const lockout = z.strictObject({
  attempts: z
    .int()
    .min(3)
    .max(100)
    .describe(
      'After how many failed attempts in a row signing in to an account is locked, 3 to 100. The address that they come from is locked after ten times as many, for all accounts, since an office has one address. A device from which the person signed in before is counted by itself. A password reset by mail lifts the lock of the account at once. Default: 5.',
    )
    .optional(),
  duration: duration('lockout.duration', ['1m', '365d'], '15m')
    .describe('For how long it is locked. A duration. Example: 15m. Default: 15m.')
    .optional(),
})

const sessions = withRules(
  z.strictObject({
    idle: duration('sessions.idle', ['1m', '365d'], '30m')
      .describe(
        'After how long without a request a session of a browser ends. A duration. Example: 30m. Default: 8h.',
      )
      .optional(),
    lifetime: duration('sessions.lifetime', ['1m', '365d'], '12h')
      .describe(
        'After how long a session of a browser ends, used or not. A duration. Example: 12h. Default: 7d.',
      )
      .optional(),
    accessToken: duration('sessions.accessToken', ['1m', '8h'], '15m')
      .describe(
        'For how long an access token of an API client is good. Revoked, it is refused at once all the same. A duration, at most 8h. Example: 15m. Default: 15m.',
      )
      .optional(),
    refreshToken: duration('sessions.refreshToken', ['1m', '365d'], '30d')
      .describe(
        'After how long an API client must sign in again, however often it refreshed its tokens. A duration. Example: 30d. Default: 30d.',
      )
      .optional(),
    revokedBefore: timestamp('sessions.revokedBefore', '2026-11-01T00:00:00Z')
      .describe(
        'Every session that began before this moment is revoked. Set it to now to sign everybody out. It cannot be taken back: an earlier moment, or none, leaves the latest that ever was in force. More than a minute ahead, the Organization is Stalled with reason RevocationAhead. Example: "2026-11-01T00:00:00Z". Default: none is revoked.',
      )
      .optional(),
  }),
  {
    cel: `!has(self.idle) || !has(self.lifetime) || ${celSeconds('self.idle')} <= ${celSeconds('self.lifetime')}`,
    message:
      'sessions.idle must not be longer than sessions.lifetime: shorten idle or lengthen lifetime',
    field: 'idle',
    holds: ({ idle, lifetime }) =>
      idle === undefined ||
      lifetime === undefined ||
      (secondsOf(idle) ?? 0) <= (secondsOf(lifetime) ?? 0),
  },
)

const organizationSpec = z.strictObject({
  displayName: line('displayName', 120).describe(
    'The name of the organization for people, 1 to 120 characters. Example: Acme.',
  ),
  domains: setOf(domainName('domains'), { max: 50 })
    .describe(
      'The email domains of the organization, in lower case, at most 50. With them, only people with an address in one of them can be invited, register or accept, owners included; and whoever signs in without naming an organization is found by the domain, where no other organization has it. Example: [acme.example]. Default: none, people with any address.',
    )
    .optional(),
  owners: setOf(email('owners'), { max: 50 })
    .describe(
      'The email addresses of those who hold the role owner, in lower case, at most 50. Whoever has no account yet gets an invitation by mail, and up to three more, each when the last one expired after seven days. Example: [owner@acme.example]. Default: none.',
    )
    .optional(),
  management: z
    .enum(managements)
    .describe(
      'Who may make records. GitOps: resources only; the HTTP API and the pages refuse to, people and their sessions aside. Mixed: the API may too. This setting is stored now and takes effect with the version of Cardea that makes other records through the HTTP API. Default: Mixed.',
    )
    .optional(),
  scopes: mapOf(scope, ['name'], { max: 200 })
    .describe(
      'The catalogue of scopes that API keys may carry, at most 200. A key with another scope waits with reason ScopeNotFound. Default: any scope.',
    )
    .optional(),
  apiKeys: apiKeys.describe('Rules for all API keys of the organization.').optional(),
  quotas: z
    .strictObject({
      projects: quota('projects'),
      apiKeys: quota('API keys'),
      users: quota('users'),
    })
    .describe('How many records of a sort the organization may have.')
    .optional(),
  dataHandling: dataHandling()
    .describe(
      'What is stored about the requests that applications ask /check about: nothing, and this version stores nothing of the sort even where it is asked for. It does not concern people’s own sign-ins, of which these are kept whatever is said here: with a session the client’s address, User-Agent and the name of the device made of it, until 30 days after it is over; in the audit trail the addresses from which people signed in, failed to, or went on with a session; and for a day, failures to sign in by account and by network.',
    )
    .optional(),
  providerCredentials: providerCredentials()
    .describe(
      'How credentials of third-party providers are used, by whoever asks POST /v1/provider-credentials/resolve for one.',
    )
    .optional(),
  encryptionKeyRef: z
    .strictObject({
      name: objectName('encryptionKeyRef.name', 'primary').describe(
        'The name of the EncryptionKey.',
      ),
    })
    .describe(
      'The EncryptionKey in this namespace that wraps what is encrypted for the organization. It may be changed, and removed: everything is then wrapped anew. An organization that refers to a key is in force from the moment that the key is Ready; an outage of the key afterwards takes nothing out of force. Example: {name: primary}. Default: the key of the installation.',
    )
    .optional(),
  signIn: z
    .strictObject({
      methods: setOf(z.enum(signInMethods), { min: 1, max: signInMethods.length })
        .describe(
          `The ways in which people may sign in. EmailCode: by six digits that are sent by mail, good for 10 minutes, which is one factor that whoever reads the mail has; it never counts as a second one. Passkey and SSO take effect with the versions of Cardea that bring them. Example: [Password, EmailCode]. Default: all but EmailCode.`,
        )
        .optional(),
    })
    .describe('How people sign in.')
    .optional(),
  password: password.describe('Rules for passwords.').optional(),
  lockout: lockout.describe('When signing in is locked after failed attempts.').optional(),
  sessions: sessions.describe('How long people stay signed in.').optional(),
  origins: setOf(origin('origins'), { min: 1, max: 32 })
    .describe(
      'The web origins of the organization’s own applications, at most 32: browsers may use its sessions from there, and read the answers of the HTTP API (CORS). Example: [https://app.acme.example]. Default: none but the pages of Cardea itself.',
    )
    .optional(),
  mfa: z
    .strictObject({
      required: z
        .enum(['Never', 'Admins', 'Always'])
        .describe(
          'Who must show a second factor. Admins: owners and admins. Always: everybody. Default: Never.',
        )
        .optional(),
    })
    .describe(`Multi-factor authentication. ${later('it')}`)
    .optional(),
  sso: z
    .strictObject({
      enforced: z
        .boolean()
        .describe(
          'While true, people of the domains sign in by single sign-on only. Default: false.',
        )
        .optional(),
    })
    .describe(`Single sign-on. ${later('it')}`)
    .optional(),
  ...lifecycle,
  ...deletionPolicy('the record stays, disabled, and every credential of it is refused'),
})
type OrganizationSpec = z.infer<typeof organizationSpec>

const organizationStatus = z.object({
  ...commonStatus,
  encryptionKey: text(2200)
    .describe(
      'The key that wraps for the organization, as kms.allowedKeys of the chart (CARDEA_KMS_KEYS) would list it. Absent: the key of the installation.',
    )
    .optional(),
})
export type OrganizationStatus = z.infer<typeof organizationStatus>
export type Organization = Resource<'Organization', OrganizationSpec, OrganizationStatus>

export const organizationKind = defineKind({
  kind: 'Organization',
  plural: 'organizations',
  shortNames: ['org'],
  description:
    'An Organization is a tenant: the projects, API keys, roles and people of one company, apart from those of all others. Its metadata.name is the name by which headers, addresses and logs call it, unique in the installation.',
  spec: organizationSpec,
  status: organizationStatus,
  nameRules: [
    {
      cel: `self.metadata.name.matches(${celString(labelPattern.source)})`,
      message:
        'metadata.name of an Organization must be at most 63 lower-case letters, digits and inner hyphens, without dots, for example acme',
      holds: (name) => labelPattern.test(name),
    },
  ],
  reasons: [
    'AdoptionNotAllowed',
    'RevocationAhead',
    'EncryptionKeyNotFound',
    'EncryptionKeyNotReady',
    ...keyReasons,
    'DeletionBlocked',
    'HasChildren',
  ],
  columns: [
    {
      name: 'Display Name',
      type: 'string',
      jsonPath: '.spec.displayName',
      description: 'The name for people.',
    },
  ],
})
