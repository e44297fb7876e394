// LoadClient: image searches and writes sent to a server as fast as asked, whatever becomes of them.
//
// An open loop sends at random moments of a given rate (a Poisson process) and does not wait for answers, as callers
// who do not know of each other do; latencies count from the moment a request was due, so that a client that falls
// behind cannot hide what the server does. A closed loop keeps a number of requests in flight.
//
// Threading: one thread at a time; answers are taken on a thread of its own. Failure: counted.
#ifndef SIGHTLINE_TESTS_BENCH_LOAD_CLIENT_H_
#define SIGHTLINE_TESTS_BENCH_LOAD_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sightline/v1/index_service.grpc.pb.h"
#include "sightline/v1/search_service.grpc.pb.h"

namespace sightline::bench {

struct LoadAnswer {
  double milliseconds = 0;        // since the request was due
  double model_milliseconds = 0;  // of these
  double at = 0;                  // seconds since the begin
  bool is_write = false;
};

struct LoadFigures {
  int64_t sent = 0;
  int64_t shed = 0;    // RESOURCE_EXHAUSTED or UNAVAILABLE with a retry delay
  int64_t late = 0;    // DEADLINE_EXCEEDED
  int64_t failed = 0;  // anything else
  double seconds = 0;
  std::vector<LoadAnswer> answers;  // in the order they came
  std::string error;                // the first failure

  enum class Kind { kAll, kSearches, kWrites };
  int64_t answered(Kind kind = Kind::kAll) const;

  // Answers a second, those that came after the last request was sent left out.
  double Goodput() const;
  double ShedShare() const { return sent > 0 ? static_cast<double>(shed) / static_cast<double>(sent) : 0; }
  // `share` 0.99: the latency that 99 of 100 stay below; 0 when nothing was answered.
  double Percentile(double share, Kind kind = Kind::kAll) const;
};

class LoadClient {
 public:
  LoadClient(const std::string& address, std::string collection, std::vector<std::string> pictures, unsigned seed);

  struct Closed {
    int clients = 1;
    std::chrono::milliseconds duration{1000};
    // Random deadlines between these; 0 for a minute.
    int least_deadline_ms = 0;
    int most_deadline_ms = 0;
    std::chrono::milliseconds pause{0};  // of a client after each answer
  };
  LoadFigures RunClosed(const Closed& load);

  struct Open {
    double rate = 1;  // requests a second
    std::chrono::milliseconds duration{1000};
    double index_share = 0;  // the rest are searches
  };
  LoadFigures RunOpen(const Open& load);

  // Writes the pictures, one after the other. The first failure, or OK.
  grpc::Status Fill();

 private:
  struct Call;

  void Start(Call* call);
  void Note(const Call& call, std::chrono::steady_clock::time_point begin, LoadFigures* figures) const;

  struct Stubs {
    std::unique_ptr<v1::SearchService::Stub> search;
    std::unique_ptr<v1::IndexService::Stub> index;
  };
  const std::string collection_;
  const std::vector<std::string> pictures_;
  std::mt19937 random_;
  std::vector<Stubs> stubs_;  // each has a connection of its own: one takes only so many calls at once
  size_t next_ = 0;
};

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_LOAD_CLIENT_H_
