// StreamCall: one bidirectional stream whose messages are independent requests, answered in any order.
//
// The stream reads on only while fewer than `max_stream_in_flight` of its requests are unanswered or unsent, and, where
// it has any in hand, only while there is memory for more: so a fast sender, one of large messages, and one that does
// not read its replies, are slowed down by flow control. When the server drains, the stream ends with UNAVAILABLE as
// soon as what it has in hand is answered. One whose caller neither sends nor reads anything for long is ended.
//
// Threading: as UnaryCall; handlers may answer from any thread. Ownership: the object owns itself.
#ifndef SIGHTLINE_SERVER_RPC_STREAM_CALL_H_
#define SIGHTLINE_SERVER_RPC_STREAM_CALL_H_

#include <grpcpp/completion_queue.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/status.h"
#include "server/rpc/async_service.h"
#include "server/rpc/call_environment.h"
#include "server/rpc/collection_of.h"
#include "server/rpc/guarded_message.h"
#include "server/rpc/status_map.h"
#include "server/rpc/streaming_call.h"
#include "server/rpc/tag.h"

namespace sightline::server {

// Answers one message of a stream. The message lives until `reply` is called, once, with how it ended.
template <typename Req, typename Resp>
using StreamHandler =
    std::function<void(const RequestPtr&, const Req&, std::function<void(Resp, const absl::Status&)> reply)>;

template <typename Req, typename Resp>
struct StreamMethod {
  AsyncMethod async;
  StreamHandler<Req, Resp> handler;
  // What is answered to a message that is refused before its handler runs.
  std::function<Resp(const Req&, const absl::Status&)> refuse;
  CallMethod call;
  CallEnvironment* environment;
};

template <typename Req, typename Resp>
class StreamCall final : public StreamingCall<StreamMethod<Req, Resp>> {
 public:
  using Method = StreamMethod<Req, Resp>;

  static void Listen(const Method* method, grpc::ServerCompletionQueue* queue) { new StreamCall(method, queue); }

  void Drain() override {
    base::MutexLock lock(mutex_);
    draining_ = true;
    MaybeFinish();
  }

  void EndIfIdle(base::Clock::Ticks since) override {
    base::MutexLock lock(mutex_);
    const bool begun = last_move_ != base::Clock::Ticks();
    if (!begun || !in_hand_.empty() || finishing_ || last_move_ >= since) return;
    if (writing_) {
      // Nothing can be said to a caller that reads nothing: the write breaks.
      context_.TryCancel();
      return;
    }
    idle_ = true;
    MaybeFinish();
  }

 private:
  using Base = StreamingCall<Method>;
  using Base::arrive_tag_;
  using Base::context_;
  using Base::method_;
  using Base::queue_;

  struct Item {
    RequestPtr request;
    Req message;
    int64_t bytes = 0;
    absl::Status malformed;   // why the message is empty
    bool may_answer = false;  // headers
  };
  struct Outgoing {
    Resp message;
    int64_t bytes;
  };

  StreamCall(const Method* method, grpc::ServerCompletionQueue* queue) : Base(method, queue), stream_(&context_) {
    method_.async.Listen(&context_, &stream_, queue_, &arrive_tag_);
  }

  void Begin() override {
    Listen(&method_, queue_);
    // One that comes too late is refused like any other call, with ids of its own.
    absl::Status refusal;
    if (method_.environment->draining()) {
      const RequestPtr request = method_.environment->MakeRequest(context_);
      refusal =
          method_.environment->Enter(method_.call, &context_, /*collection=*/"", /*message_bytes=*/0, request.get());
    }
    base::MutexLock lock(mutex_);
    last_move_ = method_.environment->Now();
    refusal_ = std::move(refusal);
    draining_ = draining_ || !refusal_.ok();
    MaybeRead();
    MaybeFinish();
  }

  void Read(bool ok) {
    std::shared_ptr<Item> item;
    {
      base::MutexLock lock(mutex_);
      last_move_ = method_.environment->Now();
      reading_ = false;
      --pending_tags_;
      if (!ok) {
        reads_done_ = true;
        MaybeFinish();
      } else {
        item = std::make_shared<Item>();
        item->message.Swap(&incoming_.message);
        item->bytes = incoming_.bytes;
        item->malformed = incoming_.status;
        item->request = method_.environment->MakeRequest(context_);
        if (cancelled_) item->request->Cancel();
        // While the first message is in hand, nothing is sent that would take the headers along.
        item->may_answer = !begun_ && !finishing_;
        begun_ = true;
        in_hand_.insert(item);
      }
    }
    if (item != nullptr) Handle(item);
    {
      // Only now the next read: until here the object must not be released, whatever the handler's answer has ended.
      base::MutexLock lock(mutex_);
      reader_active_ = false;
      MaybeRead();
      MaybeFinish();
    }
    ReleaseIfOver();
  }

  void Handle(const std::shared_ptr<Item>& item) {
    absl::Status refusal = method_.environment->Enter(method_.call, &context_, CollectionOf(item->message), item->bytes,
                                                      item->request.get(), item->may_answer);
    if (refusal.ok() && !item->malformed.ok()) {
      refusal = item->malformed;
      method_.environment->Leave(method_.call, *item->request, refusal);
    }
    if (!refusal.ok()) {
      Reply(item, method_.refuse(item->message, refusal));
    } else {
      method_.handler(item->request, item->message, [this, item](Resp reply, const absl::Status& status) {
        method_.environment->Leave(method_.call, *item->request, status);
        Reply(item, std::move(reply));
      });
    }
  }

  void Reply(const std::shared_ptr<Item>& item, Resp reply) {
    base::MutexLock lock(mutex_);
    in_hand_.erase(item);
    const auto bytes = static_cast<int64_t>(reply.ByteSizeLong());
    method_.environment->HoldReply(bytes);
    outgoing_.push_back({std::move(reply), bytes});
    MaybeWrite();
    MaybeRead();
    MaybeFinish();
  }

  void Written(bool ok) {
    {
      base::MutexLock lock(mutex_);
      last_move_ = method_.environment->Now();
      writing_ = false;
      --pending_tags_;
      DropOutgoing(1);
      if (!ok) broken_ = true;
      MaybeWrite();
      MaybeRead();
      MaybeFinish();
    }
    ReleaseIfOver();
  }

  void Finished(bool) {
    {
      base::MutexLock lock(mutex_);
      --pending_tags_;
    }
    ReleaseIfOver();
  }

  void End(bool cancelled) override {
    {
      base::MutexLock lock(mutex_);
      --pending_tags_;
      over_ = true;
      if (cancelled) {
        cancelled_ = true;
        broken_ = true;
        for (const std::shared_ptr<Item>& item : in_hand_) item->request->Cancel();
      }
      MaybeFinish();
    }
    ReleaseIfOver();
  }

  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const size_t window = static_cast<size_t>(method_.environment->limits().max_stream_in_flight);
    if (reading_ || reader_active_ || reads_done_ || draining_ || idle_ || broken_ || finishing_ ||
        in_hand_.size() + outgoing_.size() >= window) {
      return;
    }
    // Each of its own that is answered asks again. One that has nothing in hand waits for nobody.
    if (!in_hand_.empty() && !method_.environment->RoomToReadOn()) return;
    reading_ = true;
    reader_active_ = true;
    ++pending_tags_;
    stream_.Read(&incoming_, &read_tag_);
  }

  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_) return;
    if (broken_) DropOutgoing(outgoing_.size());
    if (outgoing_.empty()) return;
    writing_ = true;
    ++pending_tags_;
    stream_.Write(outgoing_.front().message, &written_tag_);
  }

  void DropOutgoing(size_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (; count > 0; --count) {
      method_.environment->ReplyTaken(outgoing_.front().bytes);
      outgoing_.pop_front();
    }
  }

  void MaybeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool wanted = reads_done_ || draining_ || idle_ || broken_;
    if (!wanted || finishing_ || writing_ || !in_hand_.empty() || !outgoing_.empty()) return;
    finishing_ = true;
    ++pending_tags_;
    absl::Status status;
    if (!refusal_.ok()) {
      status = refusal_;
    } else if (!reads_done_ && draining_) {
      status =
          Base::Draining("; what it acknowledged is done. Send the rest again, to another server if there is one.");
    } else if (!reads_done_ && idle_ && !broken_) {
      status = base::Error(absl::StatusCode::kDeadlineExceeded, "STREAM_IDLE",
                           "nothing was sent on the stream for longer than --stream_idle. Open another one when there "
                           "is something to send.");
    }
    stream_.Finish(ToGrpcStatus(status), &finished_tag_);
  }

  void ReleaseIfOver() {
    {
      base::MutexLock lock(mutex_);
      if (!over_ || !finishing_ || pending_tags_ > 0 || reader_active_) return;
    }
    Base::Release();
  }

  grpc::ServerAsyncReaderWriter<Resp, Guarded<Req>> stream_;
  MethodTag<StreamCall, &StreamCall::Read> read_tag_{this};
  MethodTag<StreamCall, &StreamCall::Written> written_tag_{this};
  MethodTag<StreamCall, &StreamCall::Finished> finished_tag_{this};

  base::Mutex mutex_;
  Guarded<Req> incoming_;  // belongs to gRPC while reading_
  std::set<std::shared_ptr<Item>> in_hand_ ABSL_GUARDED_BY(mutex_);
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);      // the front is being written while writing_
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);               // of the whole stream
  base::Clock::Ticks last_move_ ABSL_GUARDED_BY(mutex_) = {};  // of the caller
  int pending_tags_ ABSL_GUARDED_BY(mutex_) = 1;               // the over tag
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;                 // a message has come
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool reader_active_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_RPC_STREAM_CALL_H_
