import { beforeEach, describe, expect, it } from "vitest"
import { ExpiryChecks } from "../src/checks/expiry.ts"

describe("a session's end", () => {
  const SESSION = 0x100000001
  let checks: ExpiryChecks

  beforeEach(() => {
    checks = new ExpiryChecks(1)
    checks.established(1, 0)
    checks.opened(1, SESSION, 1000, 100)
  })

  it("may be asked for after its timeout in silence", () => {
    checks.touched(1, SESSION, 500)
    expect(() => checks.expires(SESSION, 1, 1500)).not.toThrow()
  })

  it("is too early before that", () => {
    checks.touched(1, SESSION, 500)
    expect(() => checks.expires(SESSION, 1, 1400)).toThrow("expired 900 ms after a sign of life, of 1000 ms")
  })

  it("goes by what that leader has heard, and when it began", () => {
    checks.touched(2, SESSION, 1000)
    expect(() => checks.expires(SESSION, 1, 1100)).not.toThrow()
    checks.established(1, 1200)
    expect(() => checks.expires(SESSION, 1, 2100)).toThrow("900 ms after")
  })

  it("may have been decided before a sign of life that overtakes the request", () => {
    checks.touched(1, SESSION, 1100)
    expect(() => checks.expires(SESSION, 1, 1160)).not.toThrow()
  })

  it("may have been decided before another client attaches to it", () => {
    checks.opened(1, SESSION, 1000, 1100)
    expect(() => checks.expires(SESSION, 1, 1160)).not.toThrow()
    checks.opened(1, SESSION + 1, 1000, 1200)
    expect(() => checks.expires(SESSION + 1, 1, 1260)).toThrow("60 ms after")
  })

  it("has not been decided in an earlier silence that was survived", () => {
    checks.touched(1, SESSION, 1100)
    checks.touched(1, SESSION, 1700)
    expect(() => checks.expires(SESSION, 1, 1900)).toThrow("200 ms after")
  })
})
