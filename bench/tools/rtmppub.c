// rtmppub: N RTMP publishers at an exact rate, cheap enough that the server is what is measured.
//   rtmppub HOST PORT APP STREAM PUBLISHERS KBPS RUN_S [key_s=2]
// Publisher 0 publishes STREAM, publisher i publishes STREAM-i. Each sends 25 video frames a second with a key frame every
// key_s seconds (four times the size of the others), and 50 audio frames a second of 32 kbps, chunk size 4096. Their clocks
// are staggered over one frame. Prints "publishing" once every one of them is, and at the end one line of JSON: publishers,
// accepted, closed (ended early by the server), mbps. Loopback only.
// It costs a send each 20 ms and publisher, 6 µs and most of it in the kernel: 300 publishers × 1 Mbps take 10 % of a core.
#define _GNU_SOURCE
#include "rtmpwire.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 4096, VIDEO_MS = 40, AUDIO_MS = 20, KEY_FACTOR = 4, AUDIO_BYTES = 80, OUT_BYTES = 1 << 19, MAX_PUBLISHERS = 2000 };
enum { SHAKE_TIMEOUT_MS = 5000, START_LEAD_MS = 50, TURN_MS = 5 };

typedef struct {
  int fd, closed, pending, sent_of_pending;
  int64_t start_ms, due_ms;
  uint32_t video_frames, audio_frames;
  uint8_t *out;
} publisher;

static volatile sig_atomic_t stopping;
static void on_signal(int s) { (void)s, stopping = 1; }

static uint64_t total;
static uint32_t gop_frames;
static int small_bytes;
static uint8_t *frame; // scratch for one message body; what is in a picture does not matter to a server

// 320x180 baseline at level 1.2; and AAC-LC 44.1 kHz stereo.
static const uint8_t avc_config[] = {
  0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0c, 0xff, 0xe1, 0, 0x17, 0x67, 0x42, 0xc0, 0x0c, 0xda, 5, 6, 0x7e, 0x7c,
  4, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a, 0xa8, 1, 0, 4, 0x68, 0xce, 0x0f, 0xc8};
static const uint8_t aac_config[] = {0xaf, 0, 0x12, 0x10};

static void lost(publisher *p) {
  if (!p->closed) close(p->fd);
  p->closed = 1;
}

static void flush(publisher *p) {
  while (!p->closed && p->sent_of_pending < p->pending) {
    ssize_t n = send(p->fd, p->out + p->sent_of_pending, p->pending - p->sent_of_pending, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      lost(p);
      return;
    }
    p->sent_of_pending += n, total += n;
  }
  p->pending = p->sent_of_pending = 0;
}

static void add(publisher *p, int csid, uint32_t ms, int type, const uint8_t *body, int len) {
  if (p->pending + len + len / CHUNK + 64 > OUT_BYTES) return; // the server does not read: drop, as an encoder would
  p->pending += put_message(p->out + p->pending, csid, ms, type, 1, body, len, CHUNK);
}

static void add_due_frames(publisher *p, int64_t t) {
  while (p->due_ms <= t) {
    uint32_t video_ms = p->video_frames * VIDEO_MS, audio_ms = p->audio_frames * AUDIO_MS;
    if (video_ms <= audio_ms) {
      int key = p->video_frames % gop_frames == 0, len = small_bytes * (key ? KEY_FACTOR : 1), nal = len - 9;
      uint8_t head[10] = {key ? 0x17 : 0x27, 1, 0, 0, 0, nal >> 24, nal >> 16, nal >> 8, nal, key ? 0x65 : 0x41};
      memcpy(frame, head, 10);
      add(p, 6, video_ms, 9, frame, len);
      video_ms = ++p->video_frames * VIDEO_MS;
    } else {
      uint8_t head[2] = {0xaf, 1};
      memcpy(frame, head, 2);
      add(p, 4, audio_ms, 8, frame, AUDIO_BYTES);
      audio_ms = ++p->audio_frames * AUDIO_MS;
    }
    p->due_ms = p->start_ms + (video_ms < audio_ms ? video_ms : audio_ms);
  }
}

static void send_due(publisher *publishers, int n) {
  int64_t t = now_ms();
  for (publisher *p = publishers; p < publishers + n; p++) {
    if (p->closed || (p->due_ms > t && !p->pending)) continue;
    add_due_frames(p, t), flush(p);
  }
}

static int read_fully(int fd, uint8_t *to, int n) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  for (int at = 0; at < n;) {
    if (poll(&wait, 1, SHAKE_TIMEOUT_MS) <= 0) return 0;
    ssize_t r = recv(fd, to + at, n - at, 0);
    if (r <= 0) return 0;
    at += r;
  }
  return 1;
}

// Waits until the server's answers hold `text`; false when it does not come in time.
static int answered(int fd, const char *text) {
  static uint8_t answers[65536];
  int have = 0, yes = 1;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  for (;;) {
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes); // a server that writes its answer in pieces waits for us
    if (have == (int)sizeof answers || poll(&wait, 1, SHAKE_TIMEOUT_MS) <= 0) return 0;
    ssize_t n = recv(fd, answers + have, sizeof answers - have, 0);
    if (n <= 0) return 0;
    have += n;
    if (memmem(answers, have, text, strlen(text))) return 1;
  }
}

static int begin(publisher *p, const struct sockaddr_in *to, const char *host, int port, const char *app, const char *stream) {
  uint8_t hello[1 + C1_BYTES] = {3}, answer[1 + 2 * C1_BYTES], out[4096], size[4] = {0, 0, CHUNK >> 8, CHUNK & 255};
  p->fd = socket(AF_INET, SOCK_STREAM, 0);
  int yes = 1; // as encoders do; else every answer waits for a delayed acknowledgement
  setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (p->fd < 0 || connect(p->fd, (const void *)to, sizeof *to) < 0) return 0;
  if (send(p->fd, hello, sizeof hello, 0) != sizeof hello || !read_fully(p->fd, answer, sizeof answer)) return 0;
  int n = put_connect(out, host, port, app);
  if (send(p->fd, answer + 1, C1_BYTES, 0) < 0 || send(p->fd, out, n, 0) != n || !answered(p->fd, "NetConnection.Connect.Success")) return 0;
  n = put_message(out, 2, 0, 1, 0, size, 4, 128);
  n += put_call(out + n, 3, 0, "createStream", 2, NULL, NULL);
  n += put_call(out + n, 4, 1, "publish", 3, stream, "live");
  if (send(p->fd, out, n, 0) != n || !answered(p->fd, "NetStream.Publish.Start")) return 0;
  fcntl(p->fd, F_SETFL, O_NONBLOCK);
  return 1;
}

// What a server says to a publisher is read and dropped; that it has hung up is noticed.
static void hear(publisher *p) {
  static uint8_t discarded[65536];
  if (p->closed) return;
  ssize_t got = recv(p->fd, discarded, sizeof discarded, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) lost(p);
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: rtmppub HOST PORT APP STREAM PUBLISHERS KBPS RUN_S [key_s=2]\n");
    return 2;
  }
  const char *host = argv[1];
  int port = atoi(argv[2]), n = atoi(argv[5]), kbps = atoi(argv[6]), run_s = atoi(argv[7]), accepted = 0, closed = 0;
  int key_s = option(argc, argv, 8, "key_s", 2);
  if (n < 1 || n > MAX_PUBLISHERS || kbps < 64 || kbps > 50000 || run_s > MAX_RUN_S || key_s < 1 || key_s > 600) return 2;
  // A GOP is KEY_FACTOR + gop_frames - 1 small frames; what audio and headers take is not the video's.
  gop_frames = key_s * 1000 / VIDEO_MS;
  small_bytes = (int64_t)(kbps - 32) * 1000 / 8 * key_s / (gop_frames - 1 + KEY_FACTOR) - 12;
  frame = malloc(small_bytes * KEY_FACTOR + AUDIO_BYTES);
  for (int i = 0; i < small_bytes * KEY_FACTOR + AUDIO_BYTES; i++) frame[i] = 0x80 | (i * 31);
  struct sockaddr_in to = loopback(host, port);
  signal(SIGPIPE, SIG_IGN), signal(SIGTERM, on_signal), signal(SIGINT, on_signal);
  end_with_parent(), raise_file_limit();

  publisher *publishers = calloc(n, sizeof *publishers);
  int epoll = epoll_create1(0);
  for (int i = 0; i < n && !stopping; i++) {
    publisher *p = publishers + i;
    char name[256];
    snprintf(name, sizeof name, i ? "%s-%d" : "%s", argv[4], i);
    p->out = malloc(OUT_BYTES);
    if (begin(p, &to, host, port, argv[3], name)) accepted++;
    else lost(p);
    p->start_ms = p->due_ms = now_ms() + START_LEAD_MS + i % VIDEO_MS;
    add(p, 6, 0, 9, avc_config, sizeof avc_config), add(p, 4, 0, 8, aac_config, sizeof aac_config), flush(p);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &e);
    send_due(publishers, i + 1);
  }
  printf("publishing\n"), fflush(stdout);

  int64_t measured_from = now_ms(), end = measured_from + run_s * 1000LL;
  uint64_t total_before = total;
  while (!stopping && now_ms() < end) {
    int64_t turn_ends = now_ms() + TURN_MS;
    send_due(publishers, n);
    for (int64_t left = turn_ends - now_ms(); left > 0; left = turn_ends - now_ms()) {
      struct epoll_event events[256];
      int ready = epoll_wait(epoll, events, 256, (int)left);
      for (int i = 0; i < ready; i++) hear(publishers + events[i].data.u32);
    }
  }
  for (int i = 0; i < n; i++) closed += publishers[i].closed;
  double mbps = (total - total_before) * 8.0 / ((now_ms() - measured_from) / 1000.0) / 1e6;
  printf("{\"publishers\":%d,\"accepted\":%d,\"closed\":%d,\"mbps\":%.1f}\n", n, accepted, closed, mbps);
  return 0;
}
