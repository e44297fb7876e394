#include "server/operations.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/operations_file.h"
#include "server/page_token.h"
#include "server/rpc/status_map.h"

namespace sightline::server {
namespace {

using State = v1::Operation::State;

constexpr int64_t kMaxFileBytes = int64_t{256} << 20;
// A thousand results of this size stay far below what is read back.
constexpr size_t kMaxResultBytes = 128 << 10;
constexpr size_t kMaxPageBytes = 8 << 20;

bool IsEnded(const v1::Operation& operation) {
  return operation.state() != v1::Operation::STATE_PENDING && operation.state() != v1::Operation::STATE_RUNNING;
}

absl::Status Interrupted() {
  return base::Error(absl::StatusCode::kAborted, "INTERRUPTED", "the server stopped while it ran. Start it again.");
}

absl::Status QueueFull(size_t limit) {
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "OPERATIONS_QUEUE_FULL",
                              absl::StrCat(limit,
                                           " operations wait already, the limit. Try again when some have ended, "
                                           "or cancel some."),
                              absl::Seconds(5), {{"limit", absl::StrCat(limit)}});
}

absl::Status RenameAside(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                     absl::StrCat("cannot rename ", from, " to ", to, ": ", std::strerror(error),
                                  ". Check the disk and the permissions of the data directory."),
                     {{"path", from}, {"errno", absl::StrCat(error)}});
}

}  // namespace

Operations::Operations(const Options& options) : options_(options), path_(options.directory + "/operations") {}

Operations::~Operations() {
  Drain();
  pool_.reset();
}

absl::StatusOr<std::unique_ptr<Operations>> Operations::Open(const Options& options) {
  std::unique_ptr<Operations> operations(new Operations(options));
  SIGHTLINE_RETURN_IF_ERROR(operations->Load());
  operations->pool_ = std::make_unique<base::ThreadPool>(base::ThreadPool::Options{
      .name = "operations", .threads = options.threads, .max_queue = options.max_waiting, .on_thread_start = {}});
  return operations;
}

absl::Status Operations::Load() {
  const absl::StatusOr<std::string> bytes = base::ReadFile(path_, kMaxFileBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  absl::Status status = bytes.status();
  if (bytes.ok()) {
    absl::StatusOr<StoredOperations> stored = DecodeOperations(*bytes);
    if (stored.ok()) {
      base::MutexLock lock(mutex_);
      next_number_ = stored->next_number;
      for (StoredOperation& one : stored->operations) {
        const uint64_t number = OperationNumber(one.operation.name());
        Entry& entry = entries_[number];
        entry.operation = std::move(one.operation);
        entry.request = std::move(one.request);
      }
      return absl::OkStatus();
    }
    status = stored.status();
  }
  // What a later version wrote is left alone.
  if (!absl::IsDataLoss(status)) return status;
  const int64_t now = absl::ToUnixSeconds(options_.clock->Now());
  set_aside_ = absl::StrCat(path_, ".damaged-", now);
  SIGHTLINE_RETURN_IF_ERROR(RenameAside(path_, set_aside_));
  base::Log(base::Severity::kError, "operations set aside",
            {{"path", set_aside_}, {"error", std::string(status.message())}});
  // No number is given twice, although those given so far are not known.
  base::MutexLock lock(mutex_);
  next_number_ = static_cast<uint64_t>(std::max<int64_t>(1, now));
  return absl::OkStatus();
}

void Operations::Resume() {
  std::vector<std::pair<uint64_t, Work>> again;
  {
    base::MutexLock lock(mutex_);
    for (auto& [number, entry] : entries_) {
      if (IsEnded(entry.operation)) continue;
      const auto make = options_.repeatable.find(entry.operation.kind());
      if (make != options_.repeatable.end() && !entry.request.type_url().empty()) {
        entry.operation.set_state(v1::Operation::STATE_PENDING);
        entry.operation.set_done(0);
        entry.operation.set_total(0);
        again.emplace_back(number, make->second(entry.operation.collection(), entry.request));
      } else {
        *entry.operation.mutable_error() = ToRpcStatus(Interrupted());
        SetEnded(entry, v1::Operation::STATE_FAILED);
      }
    }
    Forget();
  }
  SaveOrLog();
  for (auto& [number, work] : again) {
    const uint64_t repeated = number;
    if (!pool_->TrySubmit([this, repeated, work = std::move(work)] { Run(repeated, work); }))
      End(repeated, Interrupted());
  }
}

absl::StatusOr<v1::Operation> Operations::Start(const std::string& kind, const std::string& collection, Work work) {
  return Begin(kind, collection, {}, std::move(work));
}

absl::StatusOr<v1::Operation> Operations::StartRepeatable(const std::string& kind, const std::string& collection,
                                                          const google::protobuf::Message& request) {
  google::protobuf::Any packed;
  packed.PackFrom(request);
  Work work = options_.repeatable.at(kind)(collection, packed);
  return Begin(kind, collection, std::move(packed), std::move(work));
}

absl::StatusOr<v1::Operation> Operations::Begin(const std::string& kind, const std::string& collection,
                                                google::protobuf::Any request, Work work) {
  uint64_t number = 0;
  {
    base::MutexLock lock(mutex_);
    if (draining_) {
      return base::RetryableError(absl::StatusCode::kUnavailable, "DRAINING",
                                  "the server is shutting down. Try again, on another server if there is one.",
                                  absl::Seconds(1));
    }
    const auto waits = [](const auto& one) { return one.second.operation.state() == v1::Operation::STATE_PENDING; };
    if (std::count_if(entries_.begin(), entries_.end(), waits) >= static_cast<int64_t>(options_.max_waiting)) {
      return QueueFull(options_.max_waiting);
    }
    number = next_number_++;
    Entry& entry = entries_[number];
    entry.operation.set_name(OperationName(number));
    entry.operation.set_kind(kind);
    entry.operation.set_collection(collection);
    entry.operation.set_state(v1::Operation::STATE_PENDING);
    ToProto(options_.clock->Now(), entry.operation.mutable_create_time());
    entry.request = std::move(request);
  }
  // Durable before anyone knows its name.
  absl::Status status = Save();
  if (status.ok() && !pool_->TrySubmit([this, number, work = std::move(work)] { Run(number, work); })) {
    status = QueueFull(options_.max_waiting);
  }
  if (!status.ok()) {
    {
      base::MutexLock lock(mutex_);
      entries_.erase(number);
    }
    SaveOrLog();
    return status;
  }
  return Get(OperationName(number));
}

void Operations::Run(uint64_t number, const Work& work) {
  {
    base::MutexLock lock(mutex_);
    const auto it = entries_.find(number);
    // Cancelled while it waited, and perhaps forgotten since; or left to the next server.
    if (draining_ || it == entries_.end() || it->second.operation.state() != v1::Operation::STATE_PENDING) return;
    Entry& entry = it->second;
    entry.operation.set_state(v1::Operation::STATE_RUNNING);
    entry.begin = entry.reported = options_.clock->Steady();
  }
  SaveOrLog();
  End(number, work([this, number](int64_t done, int64_t total) { return Report(number, done, total); }));
}

bool Operations::Report(uint64_t number, int64_t done, int64_t total) {
  base::MutexLock lock(mutex_);
  Entry& entry = entries_.at(number);
  total = std::max<int64_t>(0, total);
  entry.operation.set_total(total);
  entry.operation.set_done(std::clamp<int64_t>(done, 0, total));
  entry.reported = options_.clock->Steady();
  return !draining_ && !entry.cancel_asked;
}

void Operations::End(uint64_t number, absl::StatusOr<google::protobuf::Any> result) {
  if (result.ok() && result->ByteSizeLong() > kMaxResultBytes) {
    result = base::Error(absl::StatusCode::kResourceExhausted, "RESULT_TOO_LARGE",
                         absl::StrCat("the result has ", result->ByteSizeLong(), " bytes; the limit is ",
                                      kMaxResultBytes, ". Ask for less."),
                         {{"actual", absl::StrCat(result->ByteSizeLong())}, {"limit", absl::StrCat(kMaxResultBytes)}});
  }
  {
    base::MutexLock lock(mutex_);
    Entry& entry = entries_.at(number);
    v1::Operation& operation = entry.operation;
    if (result.ok()) {
      *operation.mutable_result() = *std::move(result);
      operation.set_done(operation.total());
      SetEnded(entry, v1::Operation::STATE_SUCCEEDED);
    } else if (entry.cancel_asked && absl::IsCancelled(result.status())) {
      SetEnded(entry, v1::Operation::STATE_CANCELLED);
    } else if (draining_ && absl::IsCancelled(result.status())) {
      return;  // the file says that it runs, which is what the next server must know
    } else {
      *operation.mutable_error() = ToRpcStatus(result.status());
      SetEnded(entry, v1::Operation::STATE_FAILED);
    }
    base::Log(operation.has_error() ? base::Severity::kWarning : base::Severity::kInfo, "operation ended",
              {{"operation", operation.name()},
               {"kind", operation.kind()},
               {"collection", operation.collection()},
               {"state", v1::Operation::State_Name(operation.state())},
               {"error", operation.error().message()}});
    Forget();
  }
  SaveOrLog();
}

absl::StatusOr<uint64_t> Operations::Find(const std::string& name, const Covers& covers) const {
  const uint64_t number = OperationNumber(name);
  if (number == 0) {
    return base::InvalidArgument("OPERATION_NAME_INVALID",
                                 "the name is not one of an operation, which is \"operations/\" and a number. Use the "
                                 "name that the RPC answered, or list operations.",
                                 {{"field", "name"}, {"actual", name.substr(0, 64)}});
  }
  const auto it = entries_.find(number);
  if (it == entries_.end() || IsOld(it->second) || (covers && !covers(it->second.operation.collection()))) {
    return base::NotFound("OPERATION_NOT_FOUND",
                          absl::StrCat("there is no operation '", name,
                                       "'; ended ones are kept for a while only. List "
                                       "operations for the right name."),
                          {{"field", "name"}, {"actual", name}});
  }
  return number;
}

absl::StatusOr<v1::Operation> Operations::Get(const std::string& name, const Covers& covers) const {
  base::MutexLock lock(mutex_);
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t number, Find(name, covers));
  return Show(entries_.at(number));
}

absl::StatusOr<Operations::Page> Operations::List(int page_size, const std::string& page_token,
                                                  const std::string& collection, const Covers& covers) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t before, ReadTokenBefore(page_token));
  Page page;
  size_t bytes = 0;
  base::MutexLock lock(mutex_);
  for (auto it = entries_.lower_bound(before); it != entries_.begin();) {
    --it;
    if (IsOld(it->second)) continue;
    if (!collection.empty() && it->second.operation.collection() != collection) continue;
    if (covers && !covers(it->second.operation.collection())) continue;
    if (static_cast<int>(page.operations.size()) == page_size || bytes > kMaxPageBytes) {
      page.next_page_token = TokenBefore(OperationNumber(page.operations.back().name()));
      break;
    }
    page.operations.push_back(Show(it->second));
    bytes += page.operations.back().ByteSizeLong();
  }
  return page;
}

absl::StatusOr<v1::Operation> Operations::Cancel(const std::string& name, const Covers& covers) {
  v1::Operation shown;
  {
    base::MutexLock lock(mutex_);
    SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t number, Find(name, covers));
    Entry& entry = entries_.at(number);
    if (IsEnded(entry.operation)) return Show(entry);
    entry.cancel_asked = true;
    if (entry.operation.state() != v1::Operation::STATE_PENDING) return Show(entry);
    SetEnded(entry, v1::Operation::STATE_CANCELLED);
    shown = Show(entry);
  }
  SIGHTLINE_RETURN_IF_ERROR(Save());
  return shown;
}

std::map<v1::Operation::State, int> Operations::CountByState() const {
  std::map<State, int> counts = {{v1::Operation::STATE_PENDING, 0},
                                 {v1::Operation::STATE_RUNNING, 0},
                                 {v1::Operation::STATE_SUCCEEDED, 0},
                                 {v1::Operation::STATE_FAILED, 0},
                                 {v1::Operation::STATE_CANCELLED, 0}};
  base::MutexLock lock(mutex_);
  for (const auto& [number, entry] : entries_) {
    if (!IsOld(entry)) ++counts[entry.operation.state()];
  }
  return counts;
}

void Operations::Drain() {
  base::MutexLock lock(mutex_);
  draining_ = true;
}

v1::Operation Operations::Show(const Entry& entry) const {
  v1::Operation shown = entry.operation;
  if (shown.state() == v1::Operation::STATE_RUNNING && shown.done() > 0 && entry.reported > entry.begin) {
    const double spent = base::MillisecondsBetween(entry.begin, entry.reported);
    const double in_all = spent * static_cast<double>(shown.total()) / static_cast<double>(shown.done());
    const double now = base::MillisecondsBetween(entry.begin, options_.clock->Steady());
    // Work that takes longer than it looked is said to end now, not in the past.
    ToProto(options_.clock->Now() + absl::Milliseconds(std::max(0.0, in_all - now)),
            shown.mutable_estimated_end_time());
  }
  return shown;
}

void Operations::SetEnded(Entry& entry, State state) {
  entry.operation.set_state(state);
  ToProto(options_.clock->Now(), entry.operation.mutable_end_time());
  entry.request.Clear();
}

bool Operations::IsOld(const Entry& entry) const {
  return IsEnded(entry.operation) &&
         entry.operation.end_time().seconds() < absl::ToUnixSeconds(options_.clock->Now() - options_.keep_ended);
}

void Operations::Forget() {
  const auto ended = [](const auto& one) { return IsEnded(one.second.operation); };
  int64_t too_many = std::count_if(entries_.begin(), entries_.end(), ended) - static_cast<int64_t>(options_.max_ended);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const bool forget = IsOld(it->second) || (too_many > 0 && ended(*it));
    if (forget) --too_many;
    it = forget ? entries_.erase(it) : std::next(it);
  }
}

absl::Status Operations::Save() const {
  base::MutexLock file_lock(file_mutex_);
  StoredOperations stored;
  {
    base::MutexLock lock(mutex_);
    stored.next_number = next_number_;
    for (const auto& [number, entry] : entries_) stored.operations.push_back({entry.operation, entry.request});
  }
  return base::WriteFileDurably(path_, EncodeOperations(stored));
}

void Operations::SaveOrLog() const {
  const absl::Status status = Save();
  if (status.ok()) return;
  base::Log(base::Severity::kError, "operations not saved",
            {{"path", path_}, {"error", std::string(status.message())}});
}

}  // namespace sightline::server
