import type { PeopleRouteOptions } from '../options.ts'

export interface PageOptions extends PeopleRouteOptions {
  /** `.id.example.com`: each organization has a host below that domain. */
  readonly organizationHosts?: string | undefined
  readonly clock: { now(): number }
}
