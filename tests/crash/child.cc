#include "tests/crash/child.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/mutex.h"
#include "tests/crash/script.h"

namespace sightline::index {
namespace {

constexpr int kInFlight = 64;
constexpr size_t kSnapshotsKept = 2;
// Of whatever goes on besides writing, also when all is written before.
constexpr int64_t kLeastRounds = 2;

constexpr auto kToTheEnd = [](int64_t, int64_t) { return true; };

[[noreturn]] void Stop(int code, absl::string_view what, const absl::Status& status) {
  std::fprintf(stderr, "child: %s: %s\n", std::string(what).c_str(), status.ToString().c_str());
  std::_Exit(code);
}

void Need(absl::string_view what, const absl::Status& status) {
  if (!status.ok()) Stop(4, what, status);
}

class Child {
 public:
  Child(std::unique_ptr<Database> database, std::shared_ptr<Collection> collection, int pipe)
      : database_(std::move(database)), collection_(std::move(collection)), pipe_(pipe) {}

  void Run(int64_t first, int64_t end) {
    std::vector<std::thread> threads;
    for (const auto& work : {&Child::SearchOnce, &Child::OptimizeOnce, &Child::SnapshotOnce, &Child::MakeAnother}) {
      threads.emplace_back([this, work] {
        for (int64_t round = 0; !stopping_ || round < kLeastRounds; ++round) (this->*work)(round);
      });
    }
    for (int64_t n = first; n < end; ++n) WriteOne(n);
    {
      base::MutexLock lock(mutex_);
      while (in_flight_ > 0) changed_.Wait(mutex_);
    }
    stopping_ = true;
    for (std::thread& thread : threads) thread.join();
    collection_.reset();
    database_.reset();
  }

  void Report(const std::string& text) {
    const std::string line = text + "\n";
    if (::write(pipe_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::_Exit(5);
  }

 private:
  void WriteOne(int64_t n) {
    const std::string id = IdOf(OwnerOf(n));
    switch (ActionOf(n)) {
      case Action::kPut: {
        {
          base::MutexLock lock(mutex_);
          while (in_flight_ >= kInFlight) changed_.Wait(mutex_);
          ++in_flight_;
        }
        return collection_->PutAsync(ScriptedPut(n), [this, n](absl::StatusOr<WriteResult> result) {
          if (!result.ok()) Stop(4, absl::StrCat("write ", n), result.status());
          Report(absl::StrCat(n));
          base::MutexLock lock(mutex_);
          --in_flight_;
          changed_.NotifyOne();
        });
      }
      case Action::kDelete: {
        // Sent again after a kill, it may find nothing.
        const std::array<std::string, 1> ids = {id};
        Need(absl::StrCat("write ", n), collection_->Delete(ids).status());
        return Report(absl::StrCat(n));
      }
      case Action::kUpdate:
        Need(absl::StrCat("write ", n), collection_->UpdateAttributes(id, ScriptedChange(n)).status());
        return Report(absl::StrCat(n));
    }
  }

  void SearchOnce(int64_t round) {
    SearchQuery query;
    const Write write = ScriptedPut(round * 8);
    query.descriptor = write.record.descriptor;
    query.exact = round % 4 == 0;
    Need("search", collection_->Search(query).status());
    Pause(2);
  }

  void OptimizeOnce(int64_t /*round*/) {
    Need("optimise", collection_->Optimize({}, kToTheEnd));
    Pause(50);
  }

  void SnapshotOnce(int64_t /*round*/) {
    Need("snapshot", database_->CreateSnapshot(kScriptCollection, kToTheEnd).status());
    const auto snapshots = database_->ListSnapshots(kScriptCollection);
    Need("list snapshots", snapshots.status());
    for (size_t i = kSnapshotsKept; snapshots.ok() && i < snapshots->size(); ++i) {
      Need("delete snapshot", database_->DeleteSnapshot((*snapshots)[i].name));
    }
    Pause(30);
  }

  void MakeAnother(int64_t round) {
    // Numbers are not used again: the time in microseconds is one.
    const int64_t k =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    {
      const auto made = FindOrCreate(*database_, OtherName(k));
      Need("make a collection", made.status());
      Need("write to it", (*made)->Put(ScriptedPut(0)).status());
    }
    Report(absl::StrCat("made ", k));
    if (round % 4 == 0) return Pause(20);  // stays
    Report(absl::StrCat("deleting ", k));
    Need("delete a collection", database_->Delete(OtherName(k)).status());
    Report(absl::StrCat("deleted ", k));
    Pause(20);
  }

  static void Pause(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

  std::unique_ptr<Database> database_;
  std::shared_ptr<Collection> collection_;
  const int pipe_;
  std::atomic<bool> stopping_ = false;
  base::Mutex mutex_;
  base::CondVar changed_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::string OtherName(int64_t k) { return absl::StrCat("other-", k); }

absl::StatusOr<std::unique_ptr<Database>> OpenForKills(const std::string& folder) {
  base::SetLogLevel(base::Severity::kError);
  DatabaseOptions options;
  options.directory = folder;
  options.segments = {.chunk_rows = 64, .segment_rows = 512};
  return Database::Open(options);
}

absl::StatusOr<std::shared_ptr<Collection>> FindOrCreate(Database& database, const std::string& name) {
  auto found = database.Find(name);
  if (found.ok() || !absl::IsNotFound(found.status())) return found;
  CollectionConfig config;
  config.name = name;
  config.embedding_space = "space";
  config.token_space = "tokens";
  config.descriptor_dim = kScriptDim;
  return database.Create(config);
}

int RunChild(const std::string& folder, int64_t first, int64_t end, int pipe) {
  auto database = OpenForKills(folder);
  if (!database.ok()) Stop(2, "open", database.status());
  auto collection = FindOrCreate(**database, kScriptCollection);
  if (!collection.ok()) Stop(3, "make the collection", collection.status());
  Child child(*std::move(database), *std::move(collection), pipe);
  child.Report("open");
  child.Run(first, end);
  return 0;
}

}  // namespace sightline::index
