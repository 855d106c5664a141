import { builtInRoles } from '../domain/role.ts'
import { errorSummary, type Fault, field, hidden, notice } from './form.ts'
import { type Html, html } from './html.ts'
import { accountPage, type Resident } from './layout.ts'
import { ago, onDay, time } from './moment.ts'

interface NamedRole {
  readonly role: string
  readonly project: string | undefined
}

interface MemberLine {
  readonly id: string
  readonly email: string
  readonly name: string
  readonly status: 'active' | 'suspended'
  readonly roles: readonly NamedRole[]
  readonly lastSignedInAt: Date | undefined
}

interface InvitationLine extends NamedRole {
  readonly id: string
  readonly email: string
  readonly expiresAt: Date
}

/** What was typed into the form that invites. */
export interface TypedInvitation {
  readonly email: string
  readonly role: string
  readonly project: string
}

interface MembersView extends Resident {
  readonly members: readonly MemberLine[]
  /** Where the next page begins; undefined: there is none. */
  readonly next: string | undefined
  readonly invitations: readonly InvitationLine[]
  readonly typed: TypedInvitation
  /** What whoever looks may do. */
  readonly may: { readonly invite: boolean; readonly change: boolean; readonly remove: boolean }
  /** Milliseconds since 1970. */
  readonly now: number
  readonly faults: readonly Fault[]
  readonly notice?: string | undefined
}

/** Who belongs to the organization, and who is invited. */
export function membersPage(view: MembersView): string {
  const { members, next, invitations, may, faults } = view
  return accountPage(
    '/admin/members',
    {
      title: 'Members',
      faulty: faults.length > 0,
      content: [
        notice(view.notice),
        errorSummary(faults),
        may.invite && invite(view),
        invitations.length > 0 &&
          html`<section class="card" aria-labelledby="invited">
<h2 id="invited">Invited</h2>
<ul class="list">${invitations.map((invitation) => invitationLine(invitation, may.invite))}</ul>
</section>`,
        html`<section class="card" aria-labelledby="members">
<h2 id="members">Members</h2>
<ul class="list">${members.map((member) => memberLine(member, view))}</ul>
${next !== undefined && html`<p class="aside"><a href="/admin/members?after=${next}">More members</a></p>`}
</section>`,
      ],
    },
    view,
  )
}

function invite({ typed, faults }: MembersView): Html {
  const given = {
    email: { label: 'Email', type: 'email', autocomplete: 'off', maxLength: 254 },
    role: {
      label: 'Role',
      autocomplete: 'off',
      verbatim: true,
      maxLength: 63,
      suggestions: Object.keys(builtInRoles),
      hint: 'owner, admin, developer, viewer, auditor, or a role of your own.',
    },
    project: {
      label: 'Project',
      autocomplete: 'off',
      verbatim: true,
      optional: true,
      maxLength: 63,
      hint: 'Its short name. Leave it empty for the whole organization.',
    },
  } as const
  return html`<section class="card" aria-labelledby="invite">
<h2 id="invite">Invite somebody</h2>
<form method="post" action="/admin/members/invite" novalidate>
${field({ name: 'email', value: typed.email, ...given.email }, faults)}
${field({ name: 'role', value: typed.role, ...given.role }, faults)}
${field({ name: 'project', value: typed.project, ...given.project }, faults)}
<div class="actions"><button>Send the invitation</button></div>
</form>
</section>`
}

function invitationLine(invitation: InvitationLine, mayWithdraw: boolean): Html {
  const { id, email, expiresAt } = invitation
  return html`<li>
<div>
<h3 id="${`invitation-${id}`}">${email}</h3>
<p>${inWords(invitation)} · until ${time(expiresAt, onDay(expiresAt))}</p>
</div>
${
  mayWithdraw &&
  html`<form class="inline" method="post" action="/admin/members/withdraw">
${hidden({ invitation: id })}<button class="plain small" aria-describedby="${`invitation-${id}`}">Withdraw</button>
</form>`
}
</li>`
}

function memberLine(member: MemberLine, { may, email: own, now }: MembersView): Html {
  const { id, email, name, status, roles, lastSignedInAt: last } = member
  const named = roles.length === 0 ? 'no role' : roles.map(inWords).join(', ')
  const seen = last ? html`signed in ${time(last, ago(last, now))}` : html`never signed in`
  const another = email !== own
  return html`<li>
<div>
<h3 id="${`member-${id}`}">${name === '' ? email : name}${!another && html` <span class="tag">You</span>`}${status === 'suspended' && html` <span class="tag">Suspended</span>`}</h3>
<p>${name !== '' && html`${email} · `}${seen}</p>
<p>${named}</p>
</div>
${another && (may.change || may.remove) && actions(member, may)}
</li>`
}

/** Folded away, so that a list of people is a list of people; what cannot be undone, once more. */
function actions({ id, status }: MemberLine, may: MembersView['may']): Html {
  const by = `member-${id}`
  const act = (what: string, text: string, kind: string) =>
    html`<button class="${kind}" name="act" value="${what}" aria-describedby="${by}">${text}</button>`
  const form = (buttons: readonly Html[]) =>
    html`<form class="actions" method="post" action="/admin/members">${hidden({ member: id })}${buttons}</form>`
  const other =
    status === 'suspended'
      ? act('resume', 'Let in again', 'plain small')
      : act('suspend', 'Suspend', 'plain small')
  return html`<details>
<summary aria-describedby="${by}">Change</summary>
${may.change && form([act('sign-out', 'Sign out everywhere', 'plain small'), other])}
${
  may.remove &&
  html`<details>
<summary class="danger" aria-describedby="${by}">Remove</summary>
<p>The account is deleted, and its sessions end. This cannot be undone.</p>
${form([act('remove', 'Remove for good', 'grave small')])}
</details>`
}
</details>`
}

function inWords({ role, project }: NamedRole): string {
  return project === undefined ? role : `${role} on ${project}`
}
