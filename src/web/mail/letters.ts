import type { Letter } from './letter.ts'
import {
  addressInWords,
  momentInWords,
  nameInWords,
  oneLine,
  originInWords,
  sentence,
} from './words.ts'

/** What a letter is written from. */
export interface Facts {
  /** Where people reach the service, without a slash at the end. */
  readonly publicUrl: string
  readonly organization: { readonly name: string; readonly displayName: string }
  readonly recipient: string
  /** The text of the token that the mail carries. */
  readonly token?: string | undefined
  readonly code?: string | undefined
  /** When the token or the code is of no use any more. */
  readonly ends?: Date | undefined
  readonly request: {
    readonly address?: string | undefined
    readonly device?: string | undefined
    readonly at?: Date | undefined
    readonly until?: Date | undefined
  }
  readonly invitation?:
    | {
        readonly role: string
        readonly project: string | undefined
        readonly invitedBy: string | undefined
      }
    | undefined
}

/**
 * To the address that somebody registered an organization with. Nobody has proved to be its owner, so it has nothing in it
 * that whoever registers may choose, but the organization's name, which can be no address.
 */
export function registration(facts: Facts): Letter {
  const { organization, recipient } = facts
  return {
    subject: `Confirm your address to create the organization ${organization.name}`,
    paragraphs: [
      `Somebody registered the organization “${organization.name}” with this address. Confirm the address with the password that was chosen, and the organization is created with you as its owner.`,
    ],
    action: { label: 'Confirm the address', url: link(facts, 'verify') },
    notes: [
      ends(facts),
      ...asked(facts),
      'If it was not you who registered, ignore this mail: nothing is created without the password, and you need not do anything.',
    ],
    reason: `This mail was sent to ${addressInWords(recipient)} because the address was given when the organization was registered.`,
  }
}

export function invitation(facts: Facts): Letter {
  const { recipient, invitation: to } = facts
  const where = organizationInWords(facts)
  const by =
    to?.invitedBy === undefined ? 'You are invited' : `${addressInWords(to.invitedBy)} invites you`
  const project = to?.project === undefined ? '' : ` on the project “${nameInWords(to.project)}”`
  const as = to === undefined ? '' : ` with the role ${to.role}${project}`
  return {
    subject: `Invitation to ${oneLine(facts.organization.displayName)}`,
    paragraphs: [sentence(`${by} to join ${where}${as}`)],
    action: { label: 'Look at the invitation', url: link(facts, 'invitation') },
    notes: [ends(facts), 'If you do not know why you are invited, do nothing.'],
    reason: sentence(
      `This mail was sent to ${addressInWords(recipient)} because the address was invited to ${where}`,
    ),
  }
}

export function emailVerification(facts: Facts): Letter {
  const where = organizationInWords(facts)
  return {
    subject: `Confirm your address for ${oneLine(facts.organization.displayName)}`,
    paragraphs: [
      `${sentence(`Confirm that this is your address, to use it for your account at ${where}`)} It takes the password of the account.`,
    ],
    action: { label: 'Confirm the address', url: link(facts, 'verify') },
    notes: [ends(facts), ...asked(facts), 'If it was not you, do nothing.'],
    reason: reasonOfAccount(facts),
  }
}

export function passwordReset(facts: Facts): Letter {
  const where = organizationInWords(facts)
  return {
    subject: `New password for ${oneLine(facts.organization.displayName)}`,
    paragraphs: [sentence(`Somebody asked for a new password for your account at ${where}`)],
    action: { label: 'Choose a new password', url: link(facts, 'reset') },
    notes: [
      `${ends(facts)} A new password ends all of your sessions.`,
      ...asked(facts),
      'If it was not you, do nothing: your password stays as it is.',
    ],
    reason: reasonOfAccount(facts),
  }
}

export function passwordChanged(facts: Facts): Letter {
  const where = organizationInWords(facts)
  return {
    subject: `Your password for ${oneLine(facts.organization.displayName)} was changed`,
    paragraphs: [
      `The password of your account at ${where} was changed${happened(facts)}. The other sessions were ended.`,
    ],
    action: { label: 'I did not do this', url: page(facts, 'forgot') },
    notes: [
      'If it was you, you need not do anything. If it was not you, choose a new password now, and tell an owner of the organization.',
    ],
    reason: reasonOfAccount(facts),
  }
}

export function emailCode(facts: Facts): Letter {
  return {
    subject: `Your code to sign in to ${oneLine(facts.organization.displayName)}`,
    paragraphs: [`Your code to sign in to ${organizationInWords(facts)}:`],
    ...(facts.code !== undefined && { code: facts.code }),
    notes: [
      `${ends(facts, 'code')} Type it in only where you began to sign in, at ${facts.publicUrl}. Nobody who helps you needs it.`,
      ...asked(facts),
      'If it was not you, do nothing, and tell nobody the code.',
    ],
    reason: reasonOfAccount(facts),
  }
}

export function accountLocked(facts: Facts): Letter {
  const { until } = facts.request
  const where = organizationInWords(facts)
  const end = until ? ` until ${momentInWords(until)}` : ' for a while'
  return {
    subject: `Sign-in to ${oneLine(facts.organization.displayName)} is locked for a while`,
    paragraphs: [
      `Somebody entered a wrong password or code for your account at ${where} several times${origin(facts)}. Signing in that way is locked${end}, except on devices from which you signed in before.`,
    ],
    action: { label: 'Choose a new password', url: page(facts, 'forgot') },
    notes: [
      'If it was you, wait or choose a new password. If it was not you, your account is safe as long as nobody else knows your password; you need not do anything.',
    ],
    reason: reasonOfAccount(facts),
  }
}

export function unfamiliarSignIn(facts: Facts): Letter {
  const where = organizationInWords(facts)
  return {
    subject: `New sign-in to ${oneLine(facts.organization.displayName)}`,
    paragraphs: [
      `Somebody signed in to your account at ${where}${happened(facts)}, from a device or a network that was not seen with you before.`,
    ],
    action: { label: 'Look at your sessions', url: page(facts, 'account/sessions') },
    notes: [
      'If it was you, you need not do anything. If it was not you, end the session there and change your password.',
    ],
    reason: reasonOfAccount(facts),
  }
}

function page({ publicUrl }: Facts, path: string): string {
  return `${publicUrl}/${path}`
}

function link(facts: Facts, path: string): string {
  return `${page(facts, path)}?token=${facts.token ?? ''}`
}

function ends({ ends: end }: Facts, what: 'link' | 'code' = 'link'): string {
  return `The ${what} works once${end ? `, until ${momentInWords(end)}` : ''}.`
}

function asked({ request }: Facts): readonly string[] {
  const from = originInWords(request.device, request.address)
  if (from === '') return []
  const when = request.at ? `, on ${momentInWords(request.at)}` : ''
  return [`It was asked for ${from}${when}.`]
}

function happened(facts: Facts): string {
  const { at } = facts.request
  return `${at ? ` on ${momentInWords(at)}` : ''}${origin(facts)}`
}

function origin({ request }: Facts): string {
  const from = originInWords(request.device, request.address)
  return from === '' ? '' : ` ${from}`
}

function organizationInWords({ organization }: Facts): string {
  return nameInWords(organization.displayName)
}

function reasonOfAccount(facts: Facts): string {
  return `This mail was sent to ${addressInWords(facts.recipient)} because there is an account with this address at ${organizationInWords(facts)} (${facts.organization.name}).`
}
