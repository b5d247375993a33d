// tcpstorm: how many connections a second a proxy sets up. It is both ends: a server that answers one byte with one byte,
// and clients that connect, send a byte, wait for the answer, and leave.
//   tcpstorm HOST PROXY_PORT SERVER_PORT CLIENTS RUN_S
// CLIENTS connections are in progress at any time. Prints "listening" once the server listens and waits for a line of input
// before the clients start. One line of JSON at the end: done, failed, perSecond. Loopback only, at most two minutes.
#define _GNU_SOURCE
#include "rtmpwire.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener;

static void watch(int epoll, int fd, int events, uint32_t data) {
  struct epoll_event e = {.events = events, .data.u32 = data};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void *serve(void *unused) {
  (void)unused;
  int epoll = epoll_create1(0);
  struct epoll_event events[256];
  watch(epoll, listener, EPOLLIN, listener);
  for (;;) {
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.u32;
      char byte;
      if (fd == listener) {
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (accepted >= 0) watch(epoll, accepted, EPOLLIN, accepted);
      } else if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, 0) != 1) {
        close(fd);
      }
    }
  }
  return NULL;
}

static int fds[4096];

static void begin(int epoll, int index, const struct sockaddr_in *to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  connect(fd, (const void *)to, sizeof *to);
  fds[index] = fd;
  watch(epoll, fd, EPOLLOUT, index);
}

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  struct sockaddr_in proxy = loopback(argv[1], atoi(argv[2])), server = loopback(argv[1], atoi(argv[3]));
  int clients = atoi(argv[4]), run_s = atoi(argv[5]), yes = 1;
  if (clients < 1 || clients > 4096 || run_s > MAX_RUN_S) return 2;
  signal(SIGPIPE, SIG_IGN);
  raise_file_limit();
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (void *)&server, sizeof server) || listen(listener, 4096)) return 1;
  pthread_t thread;
  pthread_create(&thread, NULL, serve, NULL);
  printf("listening\n"), fflush(stdout);
  if (getchar() == EOF) return 1;

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
