import { assert, describe, it } from "vitest"
import { addressOf } from "../src/commands/guard.ts"

describe("whoever asks by HTTP", () => {
  it("is the first that X-Forwarded-For names, if that is believed and there; else who has connected", () => {
    assert.strictEqual(addressOf("10.0.0.1", undefined), "10.0.0.1")
    assert.strictEqual(addressOf("10.0.0.1", "192.0.2.7, 10.0.0.9"), "192.0.2.7")
    assert.strictEqual(addressOf("10.0.0.1", " 192.0.2.7 "), "192.0.2.7")
    assert.strictEqual(addressOf("10.0.0.1", " , "), "10.0.0.1")
  })
})
