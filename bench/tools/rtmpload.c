// rtmpload: N RTMP or HTTP-FLV players in one epoll loop, for the price of reading what they get.
//   rtmpload HOST PORT APP STREAM PLAYERS RAMP_S RUN_S [flv=1] [streams=N]
// The players come evenly over the ramp; then everything is measured for RUN_S. With streams=N player i watches what publisher
// i % N of rtmppub publishes: STREAM, STREAM-1, …
//
//   connect ──▶ greeting ──▶ first media        join: from the call of connect to the first frame of rtmppub's, not its
//                               │                     sequence header; found by the bytes that every such frame begins with
//                            "mark\n" on stdin  again: from there to the first byte that had not yet come to us by then
//
// One line of JSON at the end: players, playing (got media), closed (by the server), mbps, maxGapMs (the longest silence after the
// ramp of any player), gapsOver1500, joinMs and againMs: how many, and the distribution. Loopback only.
// It costs a recv a batch and player, 3 to 7 µs and most of it in the kernel: 2000 players × 200 kbps take 4 % of a
// core, 10,000 take 10 %.
#define _GNU_SOURCE
#include "rtmpwire.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTING, SHAKING, WAITING, WATCHING };
enum { READ_BYTES = 1 << 20, SIGN_BYTES = 5, STDIN = UINT32_MAX, BUSY_WAIT_MS = 1, CALM_WAIT_MS = 20 };

typedef struct {
  int fd, phase, closed, tail_bytes;
  uint8_t tail[SIGN_BYTES - 1]; // the end of what came before, in which a frame may begin
  uint64_t got;
  int64_t opened_us, join_us, last_ms, gap_ms;
  int64_t again_us; // 0: not marked; -1: marked and silent since
  int waiting_bytes; // what was in the socket at the mark
} player;

static volatile sig_atomic_t stopping;
static void on_signal(int s) { (void)s, stopping = 1; }

static uint8_t *buffer, c0c1[1 + C1_BYTES] = {3};
static char (*http_requests)[1024];
static uint8_t (*dialogues)[4096];
static int *dialogue_bytes, flv, streams, epoll_fd;
static uint64_t total;
static int64_t marked_us;

static void lost(player *p) {
  p->closed = 1;
  if (p->fd >= 0) close(p->fd);
}

static void open_player(player *p, int index, const struct sockaddr_in *to) {
  p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (p->fd < 0) {
    p->closed = 1;
    return;
  }
  int yes = 1; // else the question behind C2 waits for a delayed acknowledgement: 40 ms that are not the server's
  setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  p->opened_us = now_us();
  connect(p->fd, (const void *)to, sizeof *to);
  struct epoll_event e = {.events = EPOLLOUT | EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e);
}

static void greet(player *p, int index) {
  for (int i = 9; i < 1 + C1_BYTES; i++) c0c1[i] = i * 7 + p->fd;
  const char *request = http_requests[index % streams];
  const void *bytes = flv ? (const void *)request : c0c1;
  ssize_t n = flv ? (ssize_t)strlen(request) : 1 + C1_BYTES;
  if (send(p->fd, bytes, n, 0) != n) {
    lost(p);
    return;
  }
  p->phase = flv ? WAITING : SHAKING;
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, p->fd, &e);
}

static void ask_to_play(player *p, int index, const uint8_t *answer, ssize_t n) {
  uint8_t c2[C1_BYTES] = {0};
  memcpy(c2, answer + 1, n > C1_BYTES ? C1_BYTES : 0);
  if (send(p->fd, c2, sizeof c2, 0) < 0 || send(p->fd, dialogues[index % streams], dialogue_bytes[index % streams], 0) < 0) lost(p);
  else p->phase = WAITING;
}

// Whether a coded frame of rtmppub's begins in these bytes or across the last ones.
static int frame_begins(player *p, const uint8_t *bytes, ssize_t n) {
  static const uint8_t key[SIGN_BYTES] = {0x17, 1}, inter[SIGN_BYTES] = {0x27, 1};
  uint8_t seam[2 * (SIGN_BYTES - 1)];
  int head = n < SIGN_BYTES - 1 ? (int)n : SIGN_BYTES - 1, seam_bytes = p->tail_bytes + head;
  memcpy(seam, p->tail, p->tail_bytes), memcpy(seam + p->tail_bytes, bytes, head);
  int found = memmem(seam, seam_bytes, key, SIGN_BYTES) || memmem(seam, seam_bytes, inter, SIGN_BYTES) ||
              memmem(bytes, n, key, SIGN_BYTES) || memmem(bytes, n, inter, SIGN_BYTES);
  const uint8_t *end = head < SIGN_BYTES - 1 ? seam + seam_bytes : bytes + n;
  p->tail_bytes = seam_bytes < SIGN_BYTES - 1 ? seam_bytes : SIGN_BYTES - 1;
  memcpy(p->tail, end - p->tail_bytes, p->tail_bytes);
  return found;
}

static void receive(player *p, int index) {
  ssize_t n = recv(p->fd, buffer, READ_BYTES, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    lost(p);
    return;
  }
  int64_t t = now_us();
  total += n, p->got += n;
  if (p->again_us < 0 && (p->waiting_bytes -= n) < 0) p->again_us = t - marked_us;
  if (p->phase == SHAKING && p->got >= 1 + 2 * C1_BYTES) {
    ask_to_play(p, index, buffer, n);
  } else if (p->phase == WAITING && frame_begins(p, buffer, n)) {
    p->phase = WATCHING, p->join_us = t - p->opened_us, p->last_ms = t / 1000;
  } else if (p->phase == WATCHING) {
    if (t / 1000 - p->last_ms > p->gap_ms) p->gap_ms = t / 1000 - p->last_ms;
    p->last_ms = t / 1000;
  }
}

// Everybody who watches is to be served again from now on; what is on its way already does not count.
static void mark(player *players, int made) {
  char line[64];
  if (read(0, line, sizeof line) <= 0) {
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, 0, NULL);
    return;
  }
  marked_us = now_us();
  for (int i = 0; i < made; i++) {
    player *p = players + i;
    if (p->phase == WATCHING && !p->closed && ioctl(p->fd, FIONREAD, &p->waiting_bytes) == 0) p->again_us = -1;
  }
}

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void print_distribution(const char *name, int64_t *us, int n) {
  static const struct { const char *name; double part; } places[] = {
    {"min", 0}, {"p10", 0.1}, {"p25", 0.25}, {"p50", 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"max", 1}};
  qsort(us, n, sizeof *us, by_value);
  printf(",\"%s\":{\"count\":%d", name, n);
  for (unsigned i = 0; n && i < sizeof places / sizeof *places; i++)
    printf(",\"%s\":%.1f", places[i].name, us[(int)(places[i].part * (n - 1) + 0.5)] / 1000.0);
  printf("}");
}

static void report(const player *players, int n, int made, int64_t measured_from, uint64_t bytes) {
  int closed = 0, playing = 0, slow = 0, joins = 0, agains = 0;
  int64_t longest = 0, end = now_ms(), *join_us = calloc(n, sizeof *join_us), *again_us = calloc(n, sizeof *again_us);
  for (int i = 0; i < made; i++) {
    const player *p = players + i;
    int64_t gap = p->gap_ms, tail = p->last_ms && !p->closed ? end - p->last_ms : 0;
    if (tail > gap) gap = tail;
    if (gap > longest) longest = gap;
    closed += p->closed, playing += p->phase == WATCHING, slow += gap > 1500;
    if (p->join_us) join_us[joins++] = p->join_us;
    if (p->again_us > 0) again_us[agains++] = p->again_us;
  }
  double mbps = measured_from ? bytes * 8.0 / ((end - measured_from) / 1000.0) / 1e6 : 0;
  printf("{\"players\":%d,\"playing\":%d,\"closed\":%d,\"mbps\":%.1f,\"maxGapMs\":%lld,\"gapsOver1500\":%d", n, playing, closed, mbps,
         (long long)longest, slow);
  print_distribution("joinMs", join_us, joins), print_distribution("againMs", again_us, agains);
  printf("}\n");
}

static void write_questions(const char *host, int port, const char *app, const char *stream) {
  dialogues = calloc(streams, sizeof *dialogues), http_requests = calloc(streams, sizeof *http_requests);
  dialogue_bytes = calloc(streams, sizeof *dialogue_bytes);
  for (int i = 0; i < streams; i++) {
    char name[256];
    uint8_t *o = dialogues[i];
    snprintf(name, sizeof name, i ? "%s-%d" : "%s", stream, i);
    int n = put_connect(o, host, port, app);
    n += put_call(o + n, 3, 0, "createStream", 2, NULL, NULL);
    n += put_call(o + n, 8, 1, "play", 3, name, NULL);
    dialogue_bytes[i] = n;
    snprintf(http_requests[i], sizeof *http_requests, "GET /%s/%s.flv HTTP/1.1\r\nHost: %s:%d\r\n\r\n", app, name, host, port);
  }
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: rtmpload HOST PORT APP STREAM PLAYERS RAMP_S RUN_S [flv=1] [streams=N]\n");
    return 2;
  }
  const char *host = argv[1];
  int port = atoi(argv[2]), n = atoi(argv[5]), made = 0;
  double ramp_ms = atof(argv[6]) * 1000, run_ms = atof(argv[7]) * 1000;
  flv = option(argc, argv, 8, "flv", 0), streams = option(argc, argv, 8, "streams", 1);
  if (n < 1 || streams < 1 || ramp_ms + run_ms > MAX_RUN_S * 1000.0) return 2;
  struct sockaddr_in to = loopback(host, port);
  signal(SIGPIPE, SIG_IGN), signal(SIGTERM, on_signal), signal(SIGINT, on_signal);
  end_with_parent(), raise_file_limit();
  write_questions(host, port, argv[3], argv[4]);

  player *players = calloc(n, sizeof *players);
  buffer = malloc(READ_BYTES), epoll_fd = epoll_create1(0);
  struct epoll_event said = {.events = EPOLLIN, .data.u32 = STDIN};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &said); // refused where it is no pipe: then nothing is ever marked
  int64_t start = now_ms(), measured_from = 0;
  uint64_t total_before = 0;
  while (!stopping && now_ms() < start + (int64_t)(ramp_ms + run_ms)) {
    int64_t elapsed = now_ms() - start;
    int due = elapsed >= ramp_ms ? n : (int)(n * elapsed / ramp_ms) + 1;
    for (; made < due && made < n; made++) open_player(players + made, made, &to);
    if (!measured_from && elapsed >= ramp_ms) {
      measured_from = now_ms(), total_before = total;
      for (int i = 0; i < made; i++) players[i].gap_ms = 0;
    }
    struct epoll_event events[512];
    int ready = epoll_wait(epoll_fd, events, 512, made < n ? BUSY_WAIT_MS : CALM_WAIT_MS);
    for (int i = 0; i < ready; i++) {
      uint32_t index = events[i].data.u32;
      if (index == STDIN) {
        mark(players, made);
        continue;
      }
      player *p = players + index;
      if (p->closed) continue;
      if (p->phase == CONNECTING && events[i].events & EPOLLOUT) greet(p, index);
      else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(p, index);
    }
  }
  report(players, n, made, measured_from, total - total_before);
  return 0;
}
