/** Who the auth service is in the change feed and the audit trail, where it acts for nobody in particular. */
export const authActor = 'cardea-auth'
