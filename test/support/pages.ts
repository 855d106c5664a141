import cookie from '@fastify/cookie'
import fastify, { type FastifyInstance } from 'fastify'
import { ClientAddresses } from '../../src/auth/check/clientaddress.ts'
import { DenialLog } from '../../src/auth/check/denials.ts'
import type { Judge } from '../../src/auth/check/judge.ts'
import type { SessionCredential } from '../../src/auth/index/session.ts'
import type { Tenant } from '../../src/auth/index/tenant.ts'
import type { Member, People, SessionView } from '../../src/auth/people.ts'
import { registerAuthentication } from '../../src/auth/plugins/authentication.ts'
import { registerHeaders } from '../../src/auth/plugins/headers.ts'
import { RefusalError } from '../../src/auth/refusal.ts'
import { registerPages } from '../../src/auth/routes/page/pages.ts'
import { sendProblemTo } from '../../src/auth/routes/page/problem.ts'
import { mintToken } from '../../src/domain/onetimetoken.ts'
import { passwordRulesInWords } from '../../src/domain/password.ts'
import { defaultSignInRules } from '../../src/domain/signinrules.ts'

const organizationId = '01890000-0000-7000-8000-000000000001'
export const rightPassword = 'a hinge that never creaks'
export const rightCode = '314159'
const day = 86_400_000

/** A token of a mail that has the right form. */
export const someToken = mintToken('co', organizationId, new Uint8Array(32).fill(7))

/** What the services of the pages answer; a test changes what it is about. */
export interface PagesSetting {
  signedIn: boolean
  registrationOpen: boolean
  methods: readonly string[]
  origins: readonly string[]
  permissions: readonly string[]
  /** What the next service that is asked answers, whatever it is. */
  refusal: ({ readonly refused: string } & Record<string, unknown>) | undefined
  /** What the services were asked, in order. */
  readonly asked: (readonly [what: string, ...args: unknown[]])[]
  sessions: readonly SessionView[]
  readonly now: number
  publicUrl: string
}

/** The pages on services that have one person, Ada of Acme, and answer at once. */
export async function createPages({
  organizationHosts,
}: {
  readonly organizationHosts?: string
} = {}): Promise<{ app: FastifyInstance; setting: PagesSetting }> {
  const now = Date.UTC(2026, 10, 21, 9, 30)
  const setting: PagesSetting = {
    signedIn: false,
    registrationOpen: true,
    methods: ['Password', 'EmailCode'],
    origins: ['https://app.acme.example'],
    permissions: ['members:read', 'members:create', 'members:update', 'members:delete'],
    refusal: undefined,
    asked: [],
    sessions: sessionsAt(now),
    now,
    publicUrl: 'https://id.example.com',
  }
  const app = fastify({ genReqId: () => 'pKQ2vX8sL0aT-4f' })
  app.removeAllContentTypeParsers()
  registerHeaders(app)
  registerAuthentication(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
  })
  app.setNotFoundHandler((request, reply) => sendProblemTo(request, reply, 'not_found'))
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof RefusalError)
      return sendProblemTo(request, reply, error.code, error.detail)
    const { statusCode } = error as { statusCode?: number }
    const code = statusCode === undefined || statusCode >= 500 ? 'internal' : 'invalid_request'
    return sendProblemTo(request, reply, code)
  })
  await app.register(cookie)
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  registerPages(app, {
    people: peopleOf(setting),
    get publicUrl() {
      return setting.publicUrl
    },
    organizationHosts,
    judge: judgeOf(setting),
    addresses: new ClientAddresses([]),
    denials: new DenialLog(log),
    clock: { now: () => setting.now },
  })
  await app.ready()
  return { app, setting }
}

function judgeOf(setting: PagesSetting): Judge {
  const credential = {
    kind: 'User',
    id: 'session-1',
    rolesOn: () => ({ permits: (asked: string) => setting.permissions.includes(asked) }),
    user: { id: 'user-1', email: 'ada@acme.example' },
    tenant: {
      id: organizationId,
      name: 'acme',
      displayName: 'Acme Inc.',
      get origins() {
        return setting.origins
      },
    } as Tenant,
    authenticatedAt: setting.now,
  } as unknown as SessionCredential
  const judge = async () =>
    setting.signedIn ? { code: 'allowed', credential } : { code: 'credential_missing' }
  return { judge } as unknown as Judge
}

function peopleOf(setting: PagesSetting): People {
  const answer = <T>(what: string, args: readonly unknown[], otherwise: T): T => {
    setting.asked.push([what, ...args])
    const { refusal } = setting
    setting.refusal = undefined
    return (refusal as T | undefined) ?? otherwise
  }
  const who = { organization: 'acme', email: 'ada@acme.example' }
  const rules = passwordRulesInWords(defaultSignInRules.password)
  const unused = () => {
    throw new Error('no page asks this')
  }
  const started = () => {
    setting.signedIn = true
    return {
      kind: 'browser' as const,
      sessionId: 'session-1',
      cookie: 'session_of_ada',
      device: 'device_of_ada',
      expiresAt: new Date(setting.now + 7 * day),
    }
  }
  return {
    signIn: {
      methods: async () => setting.methods,
      withPassword: async (request) => {
        const right = request.password === rightPassword && setting.refusal === undefined
        return right
          ? answer('withPassword', [request], started())
          : answer('withPassword', [request], { refused: 'sign_in_failed' })
      },
      requestCode: async (request) =>
        answer('requestCode', [request], { challenge: 'challenge-1' }),
      withCode: async (request) => {
        const right = request.code === rightCode && setting.refusal === undefined
        return right
          ? answer('withCode', [request], started())
          : answer('withCode', [request], { refused: 'sign_in_failed' })
      },
    },
    registration: {
      get allowed() {
        return setting.registrationOpen
      },
      register: async (request) => answer('register', [request], { accepted: true }),
      verifyEmail: async (token, password) => answer('verifyEmail', [token, password], who),
    },
    passwords: {
      rules: async () => rules,
      requestReset: async (request) => answer('requestReset', [request], { accepted: true }),
      look: async (token) => token === someToken,
      reset: async (token, password) => answer('reset', [token, password], who),
      change: async (_person, current, next) =>
        answer('change', [current, next], { cookie: 'session_renewed' }),
    },
    invitations: {
      look: async (token) =>
        token === someToken
          ? {
              ...who,
              displayName: 'Acme Inc.',
              organizationId,
              role: 'developer',
              project: undefined,
              invitedBy: 'host@acme.example',
            }
          : undefined,
      accept: async (token, account) => answer('accept', [token, account], who),
      list: async () => [
        {
          id: 'invitation-1',
          email: 'konrad@acme.example',
          role: 'viewer',
          project: 'scanner',
          createdAt: new Date(setting.now - day),
          expiresAt: new Date(setting.now + 6 * day),
        },
      ],
      invite: async (_person, invitation) =>
        answer('invite', [invitation], {
          ...invitation,
          id: 'invitation-2',
          project: invitation.project,
          createdAt: new Date(setting.now),
          expiresAt: new Date(setting.now + 7 * day),
        }),
      revoke: async (_person, id) => answer('withdraw', [id], { revoked: true }),
    },
    members: {
      me: async () => ({ ...ada(setting.now), organization: 'acme', displayName: 'Acme Inc.' }),
      rename: async (_person, name) => answer('rename', [name], { renamed: true }),
      list: async () =>
        setting.permissions.includes('members:read')
          ? { members: membersAt(setting.now), next: undefined }
          : { refused: 'permission_denied' },
      setRoles: unused,
      setSuspended: async (_person, id, suspended) =>
        answer('setSuspended', [id, suspended], ada(setting.now)),
      endSessionsOf: async (_person, id) => answer('endSessionsOf', [id], { revoked: 1 }),
      remove: async (_person, id) => answer('remove', [id], { removed: true }),
    },
    sessions: {
      list: async () => setting.sessions,
      revoke: async (_person, id) => answer('revoke', [id], { revoked: true }),
      revokeAll: async (_person, keep) => {
        setting.sessions = setting.sessions.filter(({ current }) => current)
        return answer('revokeAll', [keep], { revoked: 2 })
      },
      end: async () => {
        setting.signedIn = false
        answer('end', [], undefined)
      },
      refresh: unused,
      revokeToken: unused,
    },
  }
}

function ada(now: number): Member {
  return {
    id: 'user-1',
    email: 'ada@acme.example',
    name: 'Ada Lovelace',
    status: 'active',
    roles: [
      { role: 'admin', project: undefined, source: 'api' },
      { role: 'developer', project: 'scanner', source: 'resource' },
    ],
    createdAt: new Date(now - 200 * day),
    lastSignedInAt: new Date(now),
  }
}

function membersAt(now: number): readonly Member[] {
  const charles: Member = {
    ...ada(now),
    id: 'user-2',
    email: 'charles@acme.example',
    name: 'Charles Babbage',
    roles: [{ role: 'owner', project: undefined, source: 'resource' }],
    lastSignedInAt: new Date(now - 3 * day),
  }
  const grace: Member = {
    ...charles,
    id: 'user-3',
    email: 'grace@acme.example',
    name: 'Grace Hopper',
    status: 'suspended',
    roles: [{ role: 'auditor', project: undefined, source: 'api' }],
    lastSignedInAt: undefined,
  }
  return [ada(now), charles, grace]
}

function sessionsAt(now: number): readonly SessionView[] {
  const session = (
    id: string,
    deviceName: string,
    address: string,
    seen: number,
    created: number,
  ): SessionView => ({
    id,
    kind: 'browser',
    current: false,
    deviceName,
    address,
    createdAt: new Date(now - created),
    lastSeenAt: new Date(now - seen),
    expiresAt: new Date(now + day),
  })
  return [
    { ...session('session-1', 'Firefox on Linux', '192.0.2.17', 0, 2 * 3_600_000), current: true },
    session('session-2', 'Safari on iOS', '2001:db8::1f', 25 * 60_000, 3 * day),
    { ...session('session-3', 'node', '198.51.100.4', 7 * 3_600_000, 5 * day), kind: 'token' },
  ]
}
