import { z } from 'zod'
import { acceptRequest, acceptResponse } from '../invitation.ts'
import { meResponse, renameRequest } from '../member.ts'
import { passwordChange, resetConfirmation, resetRequest } from '../password.ts'
import {
  acceptedResponse,
  accountResponse,
  registerRequest,
  verifyEmailRequest,
} from '../registration.ts'
import {
  challengeResponse,
  codeRequest,
  codeSignInRequest,
  signInRequest,
  startedResponse,
} from '../signin.ts'
import { refreshRequest, revocationRequest, tokenResponse } from '../token.ts'
import type { Paths } from './operation.ts'
import { change, look, open } from './people.ts'

const started = z.union([startedResponse, tokenResponse])
const answerOfSignIn = {
  200: ['The session; its cookie, or its tokens, as was asked for.', started],
} as const
const accepted = {
  202: [
    'It is under way, and a mail with it. The answer is the same whether or not there is such an account.',
    acceptedResponse,
  ],
} as const

/** One's own account: to get one, to sign in to it, and what is one's own of it. */
export const accountPaths: Paths = {
  '/api/auth/register': {
    post: open({
      id: 'register',
      summary: 'Register an organization, and its first owner',
      description:
        'It is there once its address was verified. The answer is the same where too many were registered with an address or from a client, and no mail is sent.',
      json: registerRequest,
      answers: accepted,
      problems: [
        'registration_closed',
        'organization_name_taken',
        'email_domain_not_allowed',
        'password_not_accepted',
        'busy',
      ],
    }),
  },
  '/api/auth/verify-email': {
    post: open({
      id: 'verifyEmail',
      summary: 'Verify an address by the token of a mail and the password of the account',
      description: 'A wrong password does not use the token up, five of them do.',
      json: verifyEmailRequest,
      answers: { 200: ['What to sign in with now.', accountResponse] },
      problems: [
        'token_invalid',
        'password_wrong',
        'organization_name_taken',
        'email_domain_not_allowed',
        'busy',
      ],
    }),
  },
  '/api/auth/accept': {
    post: open({
      id: 'acceptInvitation',
      summary: 'Accept an invitation by the token of a mail',
      json: acceptRequest,
      answers: { 200: ['What to sign in with now.', acceptResponse] },
      problems: [
        'token_invalid',
        'email_domain_not_allowed',
        'password_not_accepted',
        'quota_exceeded',
        'busy',
      ],
    }),
  },
  '/api/auth/login': {
    post: open({
      id: 'signIn',
      summary: 'Sign in by a password',
      json: signInRequest,
      answers: answerOfSignIn,
      problems: [
        'sign_in_failed',
        'account_locked',
        'email_not_verified',
        'sign_in_method_not_allowed',
        'signing_unavailable',
        'busy',
      ],
    }),
  },
  '/api/auth/otp/request': {
    post: open({
      id: 'requestCode',
      summary: 'Ask for a code by mail',
      description: 'A code is a single factor, and never counts as a second one.',
      json: codeRequest,
      answers: {
        202: ['A challenge, whether or not there is such an account.', challengeResponse],
      },
      problems: ['sign_in_method_not_allowed'],
    }),
  },
  '/api/auth/otp/verify': {
    post: open({
      id: 'signInByCode',
      summary: 'Sign in by a code',
      json: codeSignInRequest,
      answers: answerOfSignIn,
      problems: ['sign_in_failed', 'account_locked', 'signing_unavailable', 'busy'],
    }),
  },
  '/api/auth/refresh': {
    post: open({
      id: 'refresh',
      summary: 'New tokens for a refresh token',
      description: 'A second use of a refresh token ends its session.',
      json: refreshRequest,
      answers: { 200: ['The next tokens.', tokenResponse] },
      problems: ['token_invalid', 'signing_unavailable'],
    }),
  },
  '/oauth2/revoke': {
    post: open({
      id: 'revokeToken',
      summary: 'Revoke a token (RFC 7009)',
      description: 'A refresh token ends its session, an access token ends itself.',
      form: revocationRequest,
      answers: { 200: 'It is of no use now, whether or not it was before.' },
    }),
  },
  '/api/auth/password-reset/request': {
    post: open({
      id: 'requestPasswordReset',
      summary: 'Ask for a mail to set a new password',
      json: resetRequest,
      answers: accepted,
    }),
  },
  '/api/auth/password-reset/confirm': {
    post: open({
      id: 'resetPassword',
      summary: 'Set a new password by the token of a mail',
      description: 'All sessions of the account end.',
      json: resetConfirmation,
      answers: { 200: ['What to sign in with now.', accountResponse] },
      problems: ['token_invalid', 'password_not_accepted', 'busy'],
    }),
  },
  '/api/auth/password': {
    post: change({
      id: 'changePassword',
      summary: 'Change one’s password',
      description: 'All other sessions end, and this one gets a new cookie.',
      json: passwordChange,
      answers: { 204: 'It is changed.' },
      problems: ['password_wrong', 'password_not_accepted', 'account_locked', 'busy'],
    }),
  },
  '/api/auth/me': {
    get: look({ id: 'me', summary: 'Who one is', answers: { 200: ['Oneself.', meResponse] } }),
    patch: change({
      id: 'rename',
      summary: 'Change what one is called',
      json: renameRequest,
      answers: { 200: ['Oneself.', meResponse] },
    }),
  },
}
