import type { Pool } from 'pg'
import type { KeyManagement } from '../../kms/keymanagement.ts'
import type { WallClock } from '../clock.ts'
import { InvitationService } from '../invitation/service.ts'
import type { AuthLog } from '../log.ts'
import { MemberService } from '../member/service.ts'
import type { NewPasswords } from '../password/newpassword.ts'
import type { People } from '../people.ts'
import { type AccessTokenSigner, noSigner, SigningKeys } from '../token/sign.ts'
import { SessionMoves } from './moves.ts'
import { Pruner } from './pruner.ts'
import { type AccessTokenReader, SessionService } from './service.ts'
import { SessionStarter } from './start.ts'

/** What sessions, and the people who have them, work with. */
export interface SessionBackend {
  /** Connections of its own: it must not slow the checks. */
  readonly pool: Pool
  /** Without a slash at its end. */
  readonly publicUrl: string
  /** Whose signing keys are used. */
  readonly installation: string
  /** Opens the private signing keys; undefined: no access token is signed. */
  readonly keyring: Pick<KeyManagement, 'unwrap'> | undefined
}

/** What other parts give. */
export interface SessionParts {
  readonly newPasswords: Pick<NewPasswords, 'make'>
  readonly readAccessToken: AccessTokenReader
  readonly clock: Pick<WallClock, 'now'>
  readonly log: AuthLog
}

export interface OpenSessions extends Pick<People, 'sessions' | 'members' | 'invitations'> {
  /** What signing in starts its sessions by. */
  readonly starter: SessionStarter
  readonly signer: AccessTokenSigner
  /** Told by the check who was let through, and from where. */
  readonly moves: SessionMoves
  start(): void
  stop(): Promise<void>
}

/** Puts sessions, tokens, members and invitations together. */
export function openSessions(backend: SessionBackend, parts: SessionParts): OpenSessions {
  const { pool, publicUrl: issuer, installation, keyring } = backend
  const { newPasswords, readAccessToken, clock, log } = parts
  const keys = keyring && new SigningKeys({ pool, installation, keyring, clock, log })
  const signer = keys ?? noSigner
  const starter = new SessionStarter({ issuer, signer, clock })
  const members = new MemberService({ pool, starter })
  const moves = new SessionMoves({ pool, clock, log })
  const pruner = new Pruner({ pool, log, random: Math.random })
  return {
    starter,
    signer,
    moves,
    members,
    sessions: new SessionService({ pool, starter, signer, readAccessToken }),
    invitations: new InvitationService({ pool, newPasswords }),
    start() {
      keys?.start()
      pruner.start()
    },
    async stop() {
      keys?.stop()
      pruner.stop()
      await moves.stop()
    },
  }
}
