import assert from "node:assert/strict";
import { test } from "node:test";
import { directiveRows, findRow, namesAt, placeInside, placesOf } from "../../../../src/conf/directives/table.js";
import { rewrites } from "../../../../src/conf/grammar/rewrites.js";
import { readValue } from "../../../../src/conf/meaning/values.js";

const key = (row: { place: string; name: string }): string => `${row.place} ${row.name}`;

test("directives: no name stands twice at a place", () => {
  assert.equal(new Set(directiveRows.map(key)).size, directiveRows.length);
});

test("directives: every place is the inside of a block, and every closed block has an inside", () => {
  const blocks = directiveRows.filter((row) => row.type.kind === "block");
  const insides = new Set(["root", ...blocks.map((row) => placeInside(row.place, row.name))]);
  for (const row of directiveRows) assert.ok(insides.has(row.place), key(row));
  for (const row of blocks) {
    const isOpen = row.type.kind === "block" && row.type.isOpen;
    assert.ok(isOpen || namesAt(placeInside(row.place, row.name)).length > 0, key(row));
  }
});

test("directives: every default is a value of its own type, and is read without a word", () => {
  for (const row of directiveRows) {
    if (row.default === null) continue;
    const directive = { name: row.name, args: row.default.split(" "), children: null, file: "f", line: 1, column: 1 };
    const reading = readValue(row, directive);
    assert.deepEqual(reading.problems, [], key(row));
    assert.deepEqual(reading.value, readValue(row, undefined).value, key(row));
  }
});

test("directives: what is on or off has a default that says which", () => {
  for (const row of directiveRows) {
    if (row.type.kind === "onOff") assert.ok(row.default === "on" || row.default === "off", key(row));
  }
});

test("directives: every row has one sentence", () => {
  for (const row of directiveRows) assert.match(row.about, /^[A-Z`a-z].*\.$/, key(row));
});

test("directives: a block that is not served can be switched off, so that it can be silent", () => {
  for (const row of directiveRows) {
    if (row.type.kind !== "block" || row.serving !== "not yet" || findRow(row.place, row.name) !== row) continue;
    const parent = directiveRows.find((other) => other.type.kind === "block" && placeInside(other.place, other.name) === row.place);
    if (parent?.serving === "not yet") continue;
    assert.ok(findRow(placeInside(row.place, row.name), "enabled"), key(row));
  }
});

test("directives: a name is found at all of its places", () => {
  assert.deepEqual(placesOf("time_jitter"), ["vhost.play", "vhost.dvr"]);
  assert.deepEqual(placesOf("nonsense"), []);
});

test("directives: an old spelling leads to a name of the table, and is not one itself", () => {
  for (const { old, now, isValueForm } of rewrites) {
    const place = (path: string): [string, string] => {
      const dot = path.lastIndexOf(".");
      return dot < 0 ? ["root", path] : [path.slice(0, dot), path.slice(dot + 1)];
    };
    if (isValueForm !== true) assert.equal(findRow(...place(old)), undefined, old);
    if (now === null) continue;
    const block = findRow(...place(place(now)[0]))?.type;
    assert.ok(findRow(...place(now)) ?? (block?.kind === "block" && block.isOpen), now);
  }
});

/** Names that SRS 7 accepts, by place: none of them may ever be an error. */
const known: [place: string, names: string][] = [
  [
    "root",
    "listen pid chunk_size ff_log_dir ff_log_level srs_log_tank srs_log_level srs_log_level_v2 srs_log_file max_connections daemon heartbeat http_api stats vhost pithy_print_ms http_server stream_caster rtc_server srt_server utc_time work_dir asprocess server_id grace_final_wait grace_start_wait force_grace_quit empty_ip_ok disable_daemon_for_docker inotify_auto_reload auto_reload_for_docker tcmalloc_release_rate query_latest_version first_wait_for_qlv threads circuit_breaker is_full in_docker tencentcloud_cls tencentcloud_apm exporter",
  ],
  [
    "vhost",
    "enabled chunk_size min_latency tcp_nodelay in_ack_size out_ack_size play publish cluster forward http_remux http_static http_hooks hls dash hds dvr exec ingest transcode refer security bandcheck rtc srt",
  ],
  ["http_api", "enabled listen crossdomain raw_api auth https"],
  ["http_api.raw_api", "enabled allow_reload allow_query allow_update"],
  ["http_api.auth", "enabled username password type token"], // the last two of SRS 8
  ["http_api.https", "enabled listen key cert"],
  ["http_server", "enabled listen dir crossdomain https"],
  ["http_server.https", "enabled listen key cert"],
  ["exporter", "enabled listen label tag"],
  ["heartbeat", "enabled interval url device_id summaries ports"],
  ["stats", "enabled network disk"],
  ["vhost.cluster", "mode origin token_traverse vhost debug_srs_upnode coworkers origin_cluster protocol follow_client"],
  ["vhost.publish", "mr mr_latency firstpkt_timeout normal_timeout parse_sps try_annexb_first kickoff_for_idle"],
  [
    "vhost.play",
    "time_jitter mix_correct atc atc_auto mw_latency mw_msgs gop_cache gop_cache_max_frames queue_length send_min_interval reduce_sequence_header",
  ],
  ["vhost.forward", "enabled destination backend"],
  ["vhost.http_remux", "enabled mount fast_cache drop_if_not_match has_audio has_video guess_has_av"],
  ["vhost.http_static", "enabled mount dir"],
  ["vhost.http_hooks", "enabled on_connect on_close on_publish on_unpublish on_play on_stop on_dvr on_hls on_hls_notify"],
  [
    "vhost.hls",
    "enabled hls_entry_prefix hls_path hls_fragment hls_window hls_on_error hls_storage hls_mount hls_td_ratio hls_aof_ratio hls_acodec hls_vcodec hls_m3u8_file hls_ts_file hls_ts_floor hls_cleanup hls_nb_notify hls_wait_keyframe hls_dispose hls_keys hls_fragments_per_key hls_key_file hls_key_file_path hls_key_url hls_dts_directly hls_ctx hls_ts_ctx hls_use_fmp4 hls_fmp4_file hls_init_file hls_recover hls_master_m3u8_path_relative",
  ],
  ["vhost.dvr", "enabled dvr_apply dvr_path dvr_plan dvr_duration dvr_wait_keyframe time_jitter"],
  ["vhost.security", "enabled deny allow"],
  ["vhost.refer", "enabled all publish play"],
  ["vhost.exec", "enabled publish"],
  ["vhost.ingest", "enabled input ffmpeg engine"],
  ["vhost.ingest.input", "type url"],
  ["vhost.transcode", "enabled ffmpeg engine"],
  [
    "vhost.transcode.engine",
    "enabled perfile iformat vfilter vcodec vbitrate vfps vwidth vheight vthreads vprofile vpreset vparams acodec abitrate asample_rate achannels aparams oformat output",
  ],
  ["stream_caster", "enabled caster output listen sip"],
];

/** Ours, which SRS refuses. */
const added: Readonly<Record<string, string>> = { root: "dolphin srs_log_format", "vhost.hls": "hls_low_latency hls_part" };

for (const [place, names] of known) {
  test(`directives: in ${place} there may be the names of SRS, and no others`, () => {
    const expected = [...names.split(" "), ...(added[place]?.split(" ") ?? [])];
    assert.deepEqual(namesAt(place).sort(), expected.sort());
  });
}

test("directives: every other place lets any name through, as SRS does there, or is our own", () => {
  const places = new Set(directiveRows.map((row) => row.place));
  for (const [place] of known) places.delete(place);
  places.delete("dolphin");
  for (const place of places) {
    const block = directiveRows.find((row) => placeInside(row.place, row.name) === place);
    assert.ok(block?.type.kind === "block" && block.type.isOpen, place);
  }
});
