// What the load tools share: a clock, AMF0 and chunk writing, options of the form `name=number`, and the rules that only loopback
// is loaded and that no tool outlives whoever started it.
#ifndef RTMPWIRE_H
#define RTMPWIRE_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

// Timestamps of a run stay below 0xffffff ms, so that no header is extended.
enum { C1_BYTES = 1536, MAX_RUN_S = 4 * 3600 };

static inline int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static inline int64_t now_ms(void) { return now_us() / 1000; }

static inline int put_string(uint8_t *b, const char *s) {
  int n = strlen(s);
  b[0] = 2, b[1] = n >> 8, b[2] = n;
  memcpy(b + 3, s, n);
  return n + 3;
}

static inline int put_key(uint8_t *b, const char *s) { // a string without its marker
  int n = strlen(s);
  b[0] = n >> 8, b[1] = n;
  memcpy(b + 2, s, n);
  return n + 2;
}

static inline int put_number(uint8_t *b, double d) {
  uint64_t v;
  memcpy(&v, &d, 8);
  b[0] = 0;
  for (int i = 0; i < 8; i++) b[1 + i] = v >> (56 - 8 * i);
  return 9;
}

// One message with a full header, split at `chunk` bytes.
static inline int put_message(uint8_t *o, int csid, uint32_t ms, int type, int stream, const uint8_t *body, int len, int chunk) {
  int n = 0;
  uint8_t head[12] = {csid, ms >> 16, ms >> 8, ms, len >> 16, len >> 8, len, type, stream, 0, 0, 0};
  memcpy(o, head, 12), n = 12;
  for (int at = 0; at < len; at += chunk) {
    int part = len - at < chunk ? len - at : chunk;
    if (at) o[n++] = 0xc0 | csid;
    memcpy(o + n, body + at, part), n += part;
  }
  return n;
}

static inline int put_connect(uint8_t *o, const char *host, int port, const char *app) {
  uint8_t b[2048];
  char url[512];
  int n = put_string(b, "connect");
  snprintf(url, sizeof url, "rtmp://%s:%d/%s", host, port, app);
  n += put_number(b + n, 1);
  b[n++] = 3;
  n += put_key(b + n, "app"), n += put_string(b + n, app);
  n += put_key(b + n, "flashVer"), n += put_string(b + n, "FMLE/3.0 (compatible; bench)");
  n += put_key(b + n, "tcUrl"), n += put_string(b + n, url);
  b[n++] = 0, b[n++] = 0, b[n++] = 9;
  return put_message(o, 3, 0, 20, 0, b, n, 128);
}

// `name` tid null [text [text]], the shape of createStream, releaseStream, publish and play.
static inline int put_call(uint8_t *o, int csid, int stream, const char *name, double tid, const char *first, const char *second) {
  uint8_t b[1024];
  int n = put_string(b, name);
  n += put_number(b + n, tid);
  b[n++] = 5;
  if (first) n += put_string(b + n, first);
  if (second) n += put_string(b + n, second);
  return put_message(o, csid, 0, 20, stream, b, n, 128);
}

static inline struct sockaddr_in loopback(const char *host, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (strncmp(host, "127.", 4) || inet_pton(AF_INET, host, &a.sin_addr) != 1) {
    fprintf(stderr, "loopback addresses only\n");
    exit(2);
  }
  return a;
}

// The number behind `name=` among the arguments from the first optional one on.
static inline int option(int argc, char **argv, int first, const char *name, int otherwise) {
  size_t n = strlen(name);
  for (int i = first; i < argc; i++)
    if (!strncmp(argv[i], name, n) && argv[i][n] == '=') return atoi(argv[i] + n + 1);
  return otherwise;
}

static inline void end_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGTERM); }

static inline void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}
#endif
