/**
 * ONNX Runtime's builds from npm number this machine (a device id in the user's cache folder) and report its use
 * to Microsoft. Nothing that textrec does may leave the machine unasked, so that is switched off, unless somebody
 * has set ORT_DISABLE_TELEMETRY to something else on purpose.
 *
 * The native code reads the real environment, which only the main thread can set: call this there, before the
 * first worker or session is made.
 */
export function disableTelemetry(): void {
  process.env.ORT_DISABLE_TELEMETRY ??= '1'
}
