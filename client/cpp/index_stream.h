// IndexStream: one Client::IndexMany at work. Everything happens on the calling thread, driven by one completion queue,
// so that a server that stops reading cannot block the look at the clock.
//
// The life of a write: taken from the source -> in flight -> answered, or waiting for its next attempt -> in flight ...
// A connection that breaks puts all that is in flight into waiting.
#ifndef SIGHTLINE_CLIENT_CPP_INDEX_STREAM_H_
#define SIGHTLINE_CLIENT_CPP_INDEX_STREAM_H_

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "client/cpp/impl.h"
#include "client/cpp/index_many.h"

namespace sightline::client {

class IndexStream {
 public:
  IndexStream(v1::IndexService::Stub& stub, const Client::Options& client, const ItemSource& source,
              const ItemCallback& on_outcome, const IndexManyOptions& options);
  ~IndexStream();
  IndexStream(const IndexStream&) = delete;
  IndexStream& operator=(const IndexStream&) = delete;

  absl::StatusOr<IndexManySummary> Run();

 private:
  struct Item {
    v1::IndexStreamRequest request;
    int64_t bytes = 0;
    int attempts = 0;
    int refusals = 0;           // for now, in a row
    absl::Time refused_since;   // of the first of them
    int falls = 0;              // of kMaxFalls
    int64_t replies_seen = -1;  // of the stream, at the last fall
    bool in_flight = false;
    absl::Time due;       // of the next attempt, while not in flight
    absl::Status status;  // of the last attempt
  };
  struct Connection;

  bool Stopped();
  bool HasRoom() const;
  bool Finished() const { return source_ended_ && items_.empty(); }
  // After two connections in a row that ended without a reply a single write goes ahead, so that the one that may fell
  // the server does not keep all others from their answers.
  bool Cautious() const { return broken_in_a_row_ >= 2; }
  // The item to send now, if there is one.
  Item* NextToSend();
  // Takes one item from the source; null when there is none, or when it failed before being sent.
  Item* TakeFromSource();

  void Open();
  void Advance();
  void HandleEvent(void* tag, bool ok);
  void HandleReply(const v1::IndexStreamResponse& reply);
  void HandleEnd(const absl::Status& status);
  void CheckReplyTimeout();
  absl::Time NextWakeUp() const;

  // Schedules another attempt after `status`, or reports it as the item's end.
  void RetryOrFail(Item& item, const absl::Status& status);
  void ReportAll(const absl::Status& status);
  absl::Duration BackoffAfter(int attempt, const absl::Status& status);
  void Report(const std::string& request_id, const absl::Status& status, const v1::IndexResponse& response);
  std::string RandomRequestId();

  v1::IndexService::Stub& stub_;
  const Client::Options& client_;
  const ItemSource& source_;
  const ItemCallback& on_outcome_;
  const IndexManyOptions& options_;

  std::mt19937_64 random_;
  std::map<std::string, Item> items_;  // by request_id
  int64_t bytes_ = 0;
  int in_flight_ = 0;
  bool source_ended_ = false;
  IndexManySummary summary_;

  grpc::CompletionQueue queue_;
  std::unique_ptr<Connection> connection_;
  int broken_in_a_row_ = 0;               // connections that ended without one reply
  int64_t replies_ = 0;                   // on all connections
  std::optional<absl::Time> away_since_;  // the first break after the last reply
  absl::Time reconnect_at_;               // not before
  absl::Time last_reply_;                 // or when the first write went into an idle stream
  std::optional<absl::Status> fatal_;
};

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_INDEX_STREAM_H_
