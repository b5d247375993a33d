// The table of directives, part four: blocks at the root of a file that are SRS's alone. See table.ts.
import { decimal, harmless, listen, live, notYet, onOff, openBlock, replace, text, whole, type WrittenPlaces } from "./row.js";

export const otherPlaces = {
  stream_caster: {
    enabled: [onOff, "off", notYet, live, "Run this caster."],
    caster: [text, null, notYet, live, "The protocol taken in."],
    output: [text, null, notYet, live, "The RTMP URL to publish to."],
    listen: [listen, null, notYet, live, "The port to listen on."],
    sip: [openBlock, null, notYet, live, "Signalling of GB28181."],
  },
  rtc_server: {
    enabled: [onOff, "off", notYet, replace, "Serve WebRTC."],
  },
  srt_server: {
    enabled: [onOff, "off", notYet, replace, "Serve SRT."],
  },
  tencentcloud_cls: {
    enabled: [onOff, "off", notYet, live, "Send the log."],
  },
  tencentcloud_apm: {
    enabled: [onOff, "off", notYet, live, "Send traces."],
  },
  threads: {
    interval: [decimal("s"), "5", harmless, live, "How often threads are looked after."],
  },
  circuit_breaker: {
    enabled: [onOff, "on", harmless, live, "Shed load."],
    high_threshold: [whole("count"), "90", harmless, live, "CPU in percent that is high."],
    high_pulse: [whole("s"), "2", harmless, live, "How long it must be high."],
    critical_threshold: [whole("count"), "95", harmless, live, "CPU in percent that is critical."],
    critical_pulse: [whole("s"), "1", harmless, live, "How long it must be critical."],
    dying_threshold: [whole("count"), "99", harmless, live, "CPU in percent at which everything is shed."],
    dying_pulse: [whole("s"), "5", harmless, live, "How long it must be so."],
  },
} as const satisfies WrittenPlaces;
