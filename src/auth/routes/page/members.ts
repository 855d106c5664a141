import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Fault } from '../../../web/form.ts'
import { membersPage, type TypedInvitation } from '../../../web/members.ts'
import type { Client, Person, Refused } from '../../people.ts'
import { clientOf } from '../../plugins/client.ts'
import type { ProblemCode } from '../../problem.ts'
import { isRefused, RefusalError } from '../../refusal.ts'
import { faultsOf, missing, readEmail, sendFaulty } from './fault.ts'
import { fieldsOf, queryOf } from './fields.ts'
import type { PageOptions } from './options.ts'
import { redirect, residentOf, signedIn } from './person.ts'
import { sendPage } from './problem.ts'
import { announce, type Notice, takeNotice } from './state.ts'

/** A screen or two of people. */
const pageLength = 50
const nothing: TypedInvitation = { email: '', role: '', project: '' }

interface Said {
  readonly faults?: readonly Fault[]
  readonly notice?: string | undefined
  readonly typed?: TypedInvitation
}

type Acted = object | Refused<ProblemCode>

/** Who belongs to an organization, for whoever may see it. In a context that lets in who is signed in. */
export function registerMembers(context: FastifyInstance, options: PageOptions): void {
  const { people, addresses } = options
  const page = async (request: FastifyRequest, { faults = [], notice, typed = nothing }: Said) => {
    const { person, may } = signedIn(request)
    const after = queryOf(request, 'after')
    const listed = await people.members.list(person, { after, limit: pageLength })
    const invitations = await people.invitations.list(person)
    if (isRefused<ProblemCode>(listed)) throw new RefusalError(listed.refused)
    if (isRefused<ProblemCode>(invitations)) throw new RefusalError(invitations.refused)
    return membersPage({
      ...residentOf(request),
      ...listed,
      invitations,
      typed,
      may: {
        invite: may('members:create'),
        change: may('members:update'),
        remove: may('members:delete'),
      },
      now: options.clock.now(),
      faults,
      notice,
    })
  }
  /** Says what came of something: on the next page, or on this one again. */
  const report = async (
    request: FastifyRequest,
    reply: FastifyReply,
    acted: Acted,
    done: Notice,
    typed?: TypedInvitation,
  ) => {
    if (isRefused<ProblemCode>(acted)) {
      const faults = faultsOf(acted)
      return sendFaulty(reply, await page(request, { faults, ...(typed && { typed }) }), acted)
    }
    announce(reply, done)
    return redirect(reply, '/admin/members')
  }
  context.get('/admin/members', async (request, reply) => {
    return sendPage(reply, await page(request, { notice: takeNotice(request, reply) }))
  })
  context.post('/admin/members', async (request, reply) => {
    const { member, act } = fieldsOf(request, ['member', 'act'])
    const all = deeds(options)
    const deed = Object.hasOwn(all, act) ? all[act] : undefined
    if (deed === undefined) throw new RefusalError('invalid_request')
    const client = clientOf(request, addresses)
    const acted = await deed.work(signedIn(request).person, member, client)
    return report(request, reply, acted, deed.done)
  })
  context.post('/admin/members/invite', async (request, reply) => {
    const form = fieldsOf(request, ['email', 'role', 'project'])
    const { email, ...addressed } = readEmail(form.email, 'the')
    const [role, project] = [form.role.trim(), form.project.trim()]
    const typed = { email, role, project }
    const faults = [...addressed.faults, ...missing('role', role, 'a role')]
    if (faults.length > 0) return sendFaulty(reply, await page(request, { faults, typed }))
    const invitation = { email, role, ...(project !== '' && { project }) }
    const client = clientOf(request, addresses)
    const { person } = signedIn(request)
    const invited = await people.invitations.invite(person, invitation, client)
    return report(request, reply, invited, 'invited', typed)
  })
  context.post('/admin/members/withdraw', async (request, reply) => {
    const { invitation } = fieldsOf(request, ['invitation'])
    const client = clientOf(request, addresses)
    const { person } = signedIn(request)
    const withdrawn = await people.invitations.revoke(person, invitation, client)
    return report(request, reply, withdrawn, 'invitation_withdrawn')
  })
}

interface Deed {
  readonly done: Notice
  work(person: Person, member: string, client: Client): Promise<Acted>
}

/** What the buttons beside a member do, by their values. */
function deeds({ people }: PageOptions): Readonly<Partial<Record<string, Deed>>> {
  const { members } = people
  return {
    suspend: {
      done: 'member_suspended',
      work: (person, id, client) => members.setSuspended(person, id, true, client),
    },
    resume: {
      done: 'member_resumed',
      work: (person, id, client) => members.setSuspended(person, id, false, client),
    },
    'sign-out': {
      done: 'member_signed_out',
      work: (person, id, client) => members.endSessionsOf(person, id, client),
    },
    remove: {
      done: 'member_removed',
      work: (person, id, client) => members.remove(person, id, client),
    },
  }
}
