// Ten minutes of every kind of stream, written as fast as that goes, and judged by the tests of segments and recordings: continuity, times,
// lengths against what was sent, sound to the sample, every picture.
process.env["DOLPHIN_MEDIA_S"] = "600";
await import("../unit/packager/hls/hls-output.test.js");
await import("../unit/packager/dvr/mp4-recording.test.js");
await import("../unit/packager/dvr/flv-recording.test.js");
