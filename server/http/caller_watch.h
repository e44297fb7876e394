// CallerWatch: tells when callers have gone whose connections libmicrohttpd does not look at, because they wait for an
// answer (it takes suspended connections out of its epoll set). And it has a clock's tick for whoever watches over
// time.
//
// A caller who closes only its sending side counts as gone: nothing tells it from one who has closed both, and what
// browsers and libraries do is the latter.
//
// Threading: Add and Remove from any thread; `gone` and `tick` run on the watch's own thread, and `gone` may come once
// after Remove.
// Ownership: borrows the descriptors between Add and Remove; owns its thread. Failure: where the kernel refuses to
// watch, the caller is taken to stay.
#ifndef SIGHTLINE_SERVER_HTTP_CALLER_WATCH_H_
#define SIGHTLINE_SERVER_HTTP_CALLER_WATCH_H_

#include <cstdint>
#include <functional>
#include <thread>

namespace sightline::server {

class CallerWatch {
 public:
  // `gone` gets the number that Add was given; `tick` comes about once a second.
  CallerWatch(std::function<void(uint64_t)> gone, std::function<void()> tick);
  ~CallerWatch();
  CallerWatch(const CallerWatch&) = delete;
  CallerWatch& operator=(const CallerWatch&) = delete;

  void Add(int fd, uint64_t number);
  void Remove(int fd);

 private:
  void Run();

  const std::function<void(uint64_t)> gone_;
  const std::function<void()> tick_;
  const int epoll_;
  const int stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_HTTP_CALLER_WATCH_H_
