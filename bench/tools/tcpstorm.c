// tcpstorm: how many connections a proxy sets up, and the server that they go to. A client connects, sends a byte, waits for a byte
// and leaves; the server answers one byte with one byte, and an RTMP greeting with one that satisfies a probe.
//   tcpstorm serve HOST PORT                 until it is ended; prints "listening" once it does
//   tcpstorm HOST PROXY_PORT CLIENTS RUN_S   keeps CLIENTS connections in progress; at the end one line of JSON: done, failed,
//                                            perSecond
// Loopback only. A connection costs the client 30 µs, most of them the kernel's.
#define _GNU_SOURCE
#include "rtmpwire.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 4096, ANSWER_BYTES = 1 + 2 * C1_BYTES };

static void watch(int epoll, int fd, int events, uint32_t data) {
  struct epoll_event e = {.events = events, .data.u32 = data};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

// False when the peer is done.
static int answer(int fd) {
  static uint8_t heard[4096], greeting[ANSWER_BYTES] = {3};
  ssize_t n = recv(fd, heard, sizeof heard, 0);
  return n == 1 ? send(fd, heard, 1, 0) == 1 : n > 1 && send(fd, greeting, sizeof greeting, 0) > 0;
}

static int serve(struct sockaddr_in here) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1, epoll = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (void *)&here, sizeof here) || listen(listener, 4096)) return 1;
  watch(epoll, listener, EPOLLIN, listener);
  printf("listening\n"), fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.u32;
      if (fd != listener) {
        if (!answer(fd)) close(fd);
        continue;
      }
      int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
      if (accepted >= 0) watch(epoll, accepted, EPOLLIN, accepted);
    }
  }
}

static int fds[MAX_CLIENTS];

static void begin(int epoll, int index, const struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(fd, (const void *)to, sizeof *to);
  fds[index] = fd;
  watch(epoll, fd, EPOLLOUT, index);
}

static int storm(struct sockaddr_in proxy, int clients, int run_s) {
  int epoll = epoll_create1(0);
  long done = 0, failed = 0;
  int64_t start = now_ms(), end = start + run_s * 1000LL;
  for (int i = 0; i < clients; i++) begin(epoll, i, &proxy);
  while (now_ms() < end) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, 20);
    for (int i = 0; i < n; i++) {
      int index = events[i].data.u32, fd = fds[index];
      char byte = 3;
      if (events[i].events & EPOLLOUT && !(events[i].events & (EPOLLERR | EPOLLHUP))) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = index};
        if (send(fd, &byte, 1, 0) == 1 && epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &e) == 0) continue;
      }
      if (recv(fd, &byte, 1, 0) == 1) done++;
      else failed++;
      close(fd);
      begin(epoll, index, &proxy);
    }
  }
  printf("{\"done\":%ld,\"failed\":%ld,\"perSecond\":%.0f}\n", done, failed, done * 1000.0 / (now_ms() - start));
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  end_with_parent(), raise_file_limit();
  if (argc == 4 && !strcmp(argv[1], "serve")) return serve(loopback(argv[2], atoi(argv[3])));
  int clients = argc == 5 ? atoi(argv[3]) : 0, run_s = argc == 5 ? atoi(argv[4]) : 0;
  if (clients < 1 || clients > MAX_CLIENTS || run_s < 1 || run_s > MAX_RUN_S) return 2;
  return storm(loopback(argv[1], atoi(argv[2])), clients, run_s);
}
