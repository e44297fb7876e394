#include "server/http/caller_watch.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/clock.h"

namespace sightline::server {
namespace {

constexpr uint64_t kStop = ~uint64_t{0};
constexpr std::chrono::duration<int, std::milli> kTick{1000};

}  // namespace

CallerWatch::CallerWatch(std::function<void(uint64_t)> gone, std::function<void()> tick)
    : gone_(std::move(gone)),
      tick_(std::move(tick)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStop;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event);
  thread_ = std::thread([this] { Run(); });
}

CallerWatch::~CallerWatch() {
  eventfd_write(stop_, 1);
  thread_.join();
  close(epoll_);
  close(stop_);
}

void CallerWatch::Add(int fd, uint64_t number) {
  epoll_event event{};
  event.events = EPOLLRDHUP | EPOLLONESHOT;  // EPOLLHUP and EPOLLERR always come
  event.data.u64 = number;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void CallerWatch::Remove(int fd) { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }

void CallerWatch::Run() {
  pthread_setname_np(pthread_self(), "http-watch");
  std::array<epoll_event, 64> events{};
  base::Clock::Ticks next = base::Clock::Real().Steady() + kTick;
  while (true) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kTick.count());
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const uint64_t number = events[static_cast<size_t>(i)].data.u64;
      if (number == kStop) return;
      gone_(number);
    }
    if (const base::Clock::Ticks now = base::Clock::Real().Steady(); now >= next) {
      tick_();
      next = now + kTick;
    }
  }
}

}  // namespace sightline::server
