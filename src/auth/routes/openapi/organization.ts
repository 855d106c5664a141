import { invitationResponse, invitationsResponse, inviteRequest } from '../invitation.ts'
import { memberResponse, membersResponse, rolesRequest } from '../member.ts'
import { revokeAllRequest, revokedResponse, sessionsResponse } from '../session.ts'
import { type Paths, parameters } from './operation.ts'
import { change, look } from './people.ts'

const ofMember = parameters({ id: 'The id of the member.' }, 'path')

/** Sessions, and the people of an organization for one another. */
export const organizationPaths: Paths = {
  '/api/auth/logout': {
    post: change({ id: 'signOut', summary: 'End this session', answers: { 204: 'It is over.' } }),
  },
  '/api/auth/sessions': {
    get: look({
      id: 'listSessions',
      summary: 'One’s own sessions',
      answers: { 200: ['Those that are not over, the latest first.', sessionsResponse] },
    }),
  },
  '/api/auth/sessions/{id}/revoke': {
    post: change({
      id: 'revokeSession',
      summary: 'End one of one’s own sessions',
      parameters: parameters({ id: 'The id of the session.' }, 'path'),
      answers: { 204: 'It is over.' },
      problems: ['not_found'],
    }),
  },
  '/api/auth/sessions/revoke-all': {
    post: change({
      id: 'revokeSessions',
      summary: 'End one’s own sessions',
      json: revokeAllRequest,
      answers: { 200: ['How many ended.', revokedResponse] },
    }),
  },
  '/api/auth/invite': {
    post: change({
      id: 'invite',
      summary: 'Invite somebody',
      description: 'A mail brings the link; it is of use once, for seven days.',
      json: inviteRequest,
      answers: { 201: ['The invitation.', invitationResponse] },
      problems: [
        'permission_denied',
        'email_domain_not_allowed',
        'role_not_found',
        'project_not_found',
        'member_exists',
        'quota_exceeded',
        'managed_by_resource',
        'too_many_requests',
      ],
    }),
  },
  '/api/auth/invitations': {
    get: look({
      id: 'listInvitations',
      summary: 'The invitations that nobody accepted yet',
      answers: { 200: ['The invitations.', invitationsResponse] },
      problems: ['permission_denied'],
    }),
  },
  '/api/auth/invitations/{id}/revoke': {
    post: change({
      id: 'revokeInvitation',
      summary: 'Take an invitation back',
      parameters: parameters({ id: 'The id of the invitation.' }, 'path'),
      answers: { 204: 'It is of no use any more.' },
      problems: ['permission_denied', 'not_found'],
    }),
  },
  '/api/members': {
    get: look({
      id: 'listMembers',
      summary: 'The people of the organization',
      parameters: parameters(
        { after: 'What `next` of the page before said.', limit: 'How many at most, up to 100.' },
        'query',
      ),
      answers: { 200: ['A page of them.', membersResponse] },
      problems: ['permission_denied'],
    }),
  },
  '/api/members/{id}': {
    delete: change({
      id: 'removeMember',
      summary: 'Remove somebody from the organization',
      parameters: ofMember,
      answers: { 204: 'They are gone, and their sessions are over.' },
      problems: ['permission_denied', 'not_found', 'last_owner', 'managed_by_resource'],
    }),
  },
  '/api/members/{id}/roles': {
    put: change({
      id: 'setRoles',
      summary: 'Say which roles somebody has',
      parameters: ofMember,
      json: rolesRequest,
      answers: { 200: ['The member.', memberResponse] },
      problems: [
        'permission_denied',
        'not_found',
        'last_owner',
        'managed_by_resource',
        'role_not_found',
        'project_not_found',
      ],
    }),
  },
  '/api/members/{id}/suspend': {
    post: change({
      id: 'suspendMember',
      summary: 'Keep somebody out',
      parameters: ofMember,
      answers: { 200: ['The member.', memberResponse] },
      problems: ['permission_denied', 'not_found', 'last_owner'],
    }),
  },
  '/api/members/{id}/resume': {
    post: change({
      id: 'resumeMember',
      summary: 'Let somebody in again',
      parameters: ofMember,
      answers: { 200: ['The member.', memberResponse] },
      problems: ['permission_denied', 'not_found'],
    }),
  },
  '/api/members/{id}/sessions/revoke-all': {
    post: change({
      id: 'revokeSessionsOfMember',
      summary: 'End the sessions of somebody',
      parameters: ofMember,
      answers: { 200: ['How many ended.', revokedResponse] },
      problems: ['permission_denied', 'not_found'],
    }),
  },
}
