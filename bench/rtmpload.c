// rtmpload: N RTMP or HTTP-FLV players of one stream in one epoll loop, for the price of reading what they get.
//   rtmpload HOST PORT APP STREAM PLAYERS RAMP_S RUN_S [flv]
// The players come evenly over the ramp; then everything is measured for RUN_S. One line of JSON at the end:
// players, playing (got media), closed (by the server), mbps, maxGapMs (the longest silence after the first media of any
// player), gapsOver1500. Loopback only, and never longer than two minutes.
#define _GNU_SOURCE
#include "rtmpwire.h"
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTING, SHAKING, WATCHING };
enum { ANSWERS_BYTES = 2000, READ_BYTES = 1 << 20 }; // what precedes media is shorter than ANSWERS_BYTES

typedef struct {
  int fd, phase, closed;
  uint64_t got, before_media;
  int64_t last_ms, gap_ms;
} player;

static volatile sig_atomic_t stopping;
static void on_signal(int s) { (void)s, stopping = 1; }

static uint8_t *buffer, play_dialogue[4096], c0c1[1 + C1_BYTES] = {3};
static char http_request[1024];
static int play_bytes, flv, epoll_fd;
static uint64_t total;

static void lost(player *p) {
  p->closed = 1;
  close(p->fd);
}

static void open_player(player *p, int index, const struct sockaddr_in *to) {
  p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (p->fd < 0) {
    p->closed = 1;
    return;
  }
  connect(p->fd, (const void *)to, sizeof *to);
  struct epoll_event e = {.events = EPOLLOUT | EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e);
}

static void greet(player *p, int index) {
  for (int i = 9; i < 1 + C1_BYTES; i++) c0c1[i] = i * 7 + p->fd;
  const void *bytes = flv ? (const void *)http_request : c0c1;
  ssize_t n = flv ? (ssize_t)strlen(http_request) : 1 + C1_BYTES;
  if (send(p->fd, bytes, n, 0) != n) {
    lost(p);
    return;
  }
  p->phase = flv ? WATCHING : SHAKING;
  struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, p->fd, &e);
}

static void receive(player *p) {
  ssize_t n = recv(p->fd, buffer, READ_BYTES, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    lost(p);
    return;
  }
  total += n, p->got += n;
  if (p->phase == SHAKING && p->got >= 1 + 2 * C1_BYTES) {
    uint8_t c2[C1_BYTES] = {0};
    memcpy(c2, buffer + 1, n > C1_BYTES ? C1_BYTES : 0);
    if (send(p->fd, c2, sizeof c2, 0) < 0 || send(p->fd, play_dialogue, play_bytes, 0) < 0) {
      lost(p);
      return;
    }
    p->phase = WATCHING, p->before_media = p->got;
  } else if (p->phase == WATCHING && p->got > p->before_media + ANSWERS_BYTES) {
    int64_t t = now_ms();
    if (p->last_ms && t - p->last_ms > p->gap_ms) p->gap_ms = t - p->last_ms;
    p->last_ms = t;
  }
}

static void report(const player *players, int n, int made, int64_t measured_from, uint64_t bytes) {
  int closed = 0, playing = 0, slow = 0;
  int64_t longest = 0, end = now_ms();
  for (int i = 0; i < made; i++) {
    const player *p = players + i;
    int64_t gap = p->gap_ms, tail = p->last_ms && !p->closed ? end - p->last_ms : 0;
    if (tail > gap) gap = tail;
    if (gap > longest) longest = gap;
    closed += p->closed, playing += p->last_ms != 0, slow += gap > 1500;
  }
  double mbps = measured_from ? bytes * 8.0 / ((end - measured_from) / 1000.0) / 1e6 : 0;
  printf("{\"players\":%d,\"playing\":%d,\"closed\":%d,\"mbps\":%.1f,\"maxGapMs\":%lld,\"gapsOver1500\":%d}\n", n, playing, closed, mbps,
         (long long)longest, slow);
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: rtmpload HOST PORT APP STREAM PLAYERS RAMP_S RUN_S [flv]\n");
    return 2;
  }
  const char *host = argv[1], *app = argv[3], *stream = argv[4];
  int port = atoi(argv[2]), n = atoi(argv[5]), made = 0;
  double ramp_ms = atof(argv[6]) * 1000, run_ms = atof(argv[7]) * 1000;
  flv = argc > 8 && !strcmp(argv[8], "flv");
  if (n < 1 || ramp_ms + run_ms > MAX_RUN_S * 1000) return 2;
  struct sockaddr_in to = loopback(host, port);
  signal(SIGPIPE, SIG_IGN), signal(SIGTERM, on_signal), signal(SIGINT, on_signal);
  raise_file_limit();
  play_bytes = put_connect(play_dialogue, host, port, app);
  play_bytes += put_call(play_dialogue + play_bytes, 3, 0, "createStream", 2, NULL, NULL);
  play_bytes += put_call(play_dialogue + play_bytes, 8, 1, "play", 3, stream, NULL);
  snprintf(http_request, sizeof http_request, "GET /%s/%s.flv HTTP/1.1\r\nHost: %s:%d\r\n\r\n", app, stream, host, port);

  player *players = calloc(n, sizeof *players);
  buffer = malloc(READ_BYTES), epoll_fd = epoll_create1(0);
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
    int ready = epoll_wait(epoll_fd, events, 512, 20);
    for (int i = 0; i < ready; i++) {
      player *p = players + events[i].data.u32;
      if (p->closed) continue;
      if (p->phase == CONNECTING && events[i].events & EPOLLOUT) greet(p, events[i].data.u32);
      else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(p);
    }
  }
  report(players, n, made, measured_from, total - total_before);
  return 0;
}
