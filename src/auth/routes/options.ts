import type { People } from '../people.ts'
import type { AuthenticationOptions } from '../plugins/authentication.ts'

/** What every route of people works with: the services, and what tells who asks. */
export interface PeopleRouteOptions extends AuthenticationOptions {
  readonly people: People
  /** Without a slash at its end. */
  readonly publicUrl: string
}
