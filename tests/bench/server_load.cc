// `sightline-bench load`: a real server under more work than it can do. Every part compares with a figure of its own
// run: the knee, a batch of one, a quiet server. Clients and server share the machine's cores.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "server/file_limit.h"
#include "tests/bench/bench.h"
#include "tests/bench/load_client.h"
#include "tests/bench/report.h"
#include "tests/e2e/picture.h"
#include "tests/support/raw_http2.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::bench {
namespace {

using Kind = LoadFigures::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::RawHttp2;
using testing::ServerProcess;
using testing::TempFolder;

constexpr char kBench[] = "load";
constexpr char kCollection[] = "load";
constexpr int kPictures = 24;
constexpr unsigned kSeed = 7;
constexpr double kIndexShare = 0.2;

struct Doses {
  bool quick = false;
  seconds probe{6};      // of each rate on the way to the knee
  seconds step{20};      // at 1x, 2x and 5x
  seconds overload{60};  // at 10x
  seconds slice{4};      // of batching, and of healthy callers
  int rounds = 4;
  seconds storm{15};
  int storm_clients = 500;
  seconds normal{30};  // before and after the storm: a p99 of fewer answers is the worst of them
  int slow_connections = 1000;
  seconds slow{20};
};

Doses DosesOf(bool quick) {
  if (!quick) return {};
  return {.quick = true,
          .probe = seconds(1),
          .step = seconds(2),
          .overload = seconds(4),
          .slice = seconds(1),
          .rounds = 2,
          .storm = seconds(3),
          .storm_clients = 200,
          .normal = seconds(3),
          .slow_connections = 200,
          .slow = seconds(4)};
}

// The whole of a server with one model and a collection that it searches.
class LoadedServer {
 public:
  LoadedServer(bool quick, std::vector<std::string> flags) {
    const absl::Status status = Start(quick, std::move(flags));
    if (status.ok()) return;
    std::fprintf(stderr, "load: %s\n", std::string(status.message()).c_str());
    client_.reset();
  }

  bool ok() const { return client_ != nullptr; }
  LoadClient& client() { return *client_; }
  ServerProcess& server() { return *server_; }
  double ResidentMegabytes() const { return static_cast<double>(server_->ResidentBytes()) / 1e6; }

 private:
  absl::Status Start(bool quick, std::vector<std::string> flags) {
    const std::string model = quick ? "dtop_seeded" : "dtop_tiny";
    flags.insert(flags.end(), {"--models=" + model, "--allow_untrained", "--log_level=warning",
                               std::string("--model_root=") + (quick ? SIGHTLINE_TEST_MODELS : SIGHTLINE_ZOO)});
    SIGHTLINE_ASSIGN_OR_RETURN(server_, ServerProcess::Start({.folder = folder_.path(), .flags = std::move(flags)}));
    SIGHTLINE_ASSIGN_OR_RETURN(const auto connected, client::Client::Connect({.address = server_->address()}));
    v1::CreateCollectionRequest create;
    create.set_name(kCollection);
    create.set_model(model);
    SIGHTLINE_RETURN_IF_ERROR(connected->CreateCollection(create).status());
    std::vector<std::string> pictures;
    const int side = quick ? 96 : 480;
    for (int i = 0; i < kPictures; ++i) {
      pictures.push_back(testing::NoisePicture(static_cast<unsigned>(i), side, side * 3 / 4));
    }
    client_ = std::make_unique<LoadClient>(server_->address(), kCollection, std::move(pictures), kSeed);
    const grpc::Status filled = client_->Fill();
    return filled.ok() ? absl::OkStatus() : absl::InternalError(filled.error_message());
  }

  TempFolder folder_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<LoadClient> client_;
};

std::string Describe(const LoadFigures& figures) {
  return absl::StrFormat("%d sent, %d answered, %d shed, %d late, %d failed%s", figures.sent, figures.answered(),
                         figures.shed, figures.late, figures.failed, figures.error.empty() ? "" : ": " + figures.error);
}

void PrintRow(const std::string& name, double value, const std::string& unit, bool higher,
              const std::string& note = "") {
  Row row = PlainRow(kBench, name, value, unit);
  row.higher_is_better = higher;
  row.note = note;
  Print(row);
}

void PrintAgainst(const std::string& name, double value, const std::string& unit, bool higher, const std::string& peer,
                  double peer_value, const std::string& note = "") {
  Row row = PlainRow(kBench, name, value, unit);
  row.higher_is_better = higher;
  row.peer = peer;
  row.peer_value = peer_value;
  row.note = note;
  Print(row);
}

bool RunOverload(const Doses& doses) {
  LoadedServer server(doses.quick, {});
  if (!server.ok()) return false;
  LoadClient& client = server.client();
  const LoadFigures closed = client.RunClosed({.clients = 8, .duration = doses.probe});
  const double capacity = closed.Goodput();
  PrintRow("capacity, 8 searches in flight", capacity, "requests/s", true, Describe(closed));

  // Upwards until something is shed twice: one probe may meet a moment when the machine was away.
  LoadFigures knee;
  double knee_rate = 0;
  for (const double share : {0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0}) {
    LoadFigures probe;
    for (int attempt = 0; attempt < 2; ++attempt) {
      probe = client.RunOpen({.rate = share * capacity, .duration = doses.probe, .index_share = kIndexShare});
      if (probe.shed == 0) break;
    }
    if (probe.shed > 0) break;
    knee = std::move(probe);
    knee_rate = share * capacity;
  }
  // For as long as at the other rates: a p99 of a short probe is the worst of its answers.
  if (knee_rate > 0) {
    knee = client.RunOpen({.rate = knee_rate, .duration = doses.step, .index_share = kIndexShare});
  }
  PrintRow("knee: highest rate without shedding", knee_rate, "requests/s", true, Describe(knee));
  PrintRow("p50 at the knee", knee.Percentile(0.5), "ms", false);
  PrintRow("p99 at the knee", knee.Percentile(0.99), "ms", false);

  double peak = std::max(capacity, knee.Goodput());
  for (const int times : {1, 2, 5, 10}) {
    const LoadFigures figures = client.RunOpen(
        {.rate = times * capacity, .duration = times == 10 ? doses.overload : doses.step, .index_share = kIndexShare});
    const std::string suffix = absl::StrCat(" at ", times, "x");
    peak = std::max(peak, figures.Goodput());
    PrintAgainst("goodput" + suffix, figures.Goodput(), "requests/s", true, "peak so far", peak, Describe(figures));
    PrintAgainst("p99 of accepted" + suffix, figures.Percentile(0.99), "ms", false, "p99 at the knee",
                 knee.Percentile(0.99));
    // A write waits for the disk, whose moods have nothing to do with the load.
    for (const auto& [kind, name] : {std::pair(Kind::kSearches, "searches"), std::pair(Kind::kWrites, "writes")}) {
      PrintAgainst(absl::StrCat("p99 of accepted ", name, suffix), figures.Percentile(0.99, kind), "ms", false,
                   absl::StrCat("p99 of ", name, " at the knee"), knee.Percentile(0.99, kind));
    }
    PrintRow("p50 of accepted" + suffix, figures.Percentile(0.5), "ms", false);
    PrintRow("share shed" + suffix, figures.ShedShare(), "", false);
    PrintRow("searches among the answers" + suffix,
             static_cast<double>(figures.answered(Kind::kSearches)) /
                 static_cast<double>(std::max<int64_t>(1, figures.answered())),
             "", true, absl::StrCat(100 * (1 - kIndexShare), " % of what was sent"));
    PrintRow("resident memory" + suffix, server.ResidentMegabytes(), "MB", false);
    if (figures.failed > 0 || !server.server().Running()) {
      std::fprintf(stderr, "load: %s\n", Describe(figures).c_str());
      return false;
    }
  }
  const LoadFigures after = client.RunClosed({.clients = 8, .duration = doses.probe});
  PrintAgainst("capacity afterwards", after.Goodput(), "requests/s", true, "before", capacity, Describe(after));
  return server.server().Terminate() == 0;
}

bool RunBatching(const Doses& doses) {
  const std::string patient = "--max_queue_delay=60s";
  LoadedServer batched(doses.quick, {patient});
  LoadedServer single(doses.quick, {patient, "--max_batch=1"});
  if (!batched.ok() || !single.ok()) return false;
  for (const int clients : {1, 4, 16}) {
    std::vector<double> ours, peer, overhead, ours_p50, peer_p50;
    // In turns, so that what else the machine does falls on both alike; the first turn warms up.
    for (int round = 0; round <= doses.rounds; ++round) {
      const LoadFigures a = batched.client().RunClosed({.clients = clients, .duration = doses.slice});
      const LoadFigures b = single.client().RunClosed({.clients = clients, .duration = doses.slice});
      if (a.answered() + b.answered() < a.sent + b.sent) {
        std::fprintf(stderr, "load: %s; %s\n", Describe(a).c_str(), Describe(b).c_str());
        return false;
      }
      if (round == 0) continue;
      ours.push_back(a.Goodput());
      peer.push_back(b.Goodput());
      ours_p50.push_back(a.Percentile(0.5));
      peer_p50.push_back(b.Percentile(0.5));
      std::vector<double> rest;
      for (const LoadAnswer& answer : a.answers) rest.push_back(answer.milliseconds - answer.model_milliseconds);
      overhead.push_back(Median(rest));
    }
    const std::string suffix = absl::StrCat(", ", clients, clients == 1 ? " client" : " clients");
    PrintAgainst("searches by image" + suffix, Median(ours), "requests/s", true, "--max_batch=1", Median(peer));
    PrintAgainst("p50" + suffix, Median(ours_p50), "ms", false, "--max_batch=1", Median(peer_p50));
    if (clients == 1) {
      PrintRow("p50 beside the model's own time, 1 client", Median(overhead), "ms", false, "with decoding and search");
    }
  }
  return batched.server().Terminate() == 0 && single.server().Terminate() == 0;
}

// Of the answers that came so many seconds after the begin, or later.
double P99From(const LoadFigures& figures, double since) {
  LoadFigures late;
  std::copy_if(figures.answers.begin(), figures.answers.end(), std::back_inserter(late.answers),
               [&](const LoadAnswer& answer) { return answer.at >= since; });
  return late.Percentile(0.99);
}

bool RunStorm(const Doses& doses) {
  LoadedServer server(doses.quick, {});
  if (!server.ok()) return false;
  LoadClient& client = server.client();
  const LoadClient::Closed normal = {.clients = 2, .duration = doses.normal};
  client.RunClosed({.clients = 2, .duration = doses.probe});
  const LoadFigures before = client.RunClosed(normal);
  const double p99 = before.Percentile(0.99);
  const double model = server.server().Metric("sightline_model_seconds_total");
  const double wasted = server.server().Metric("sightline_wasted_model_seconds_total");
  const LoadFigures storm = client.RunClosed({.clients = doses.storm_clients,
                                              .duration = doses.storm,
                                              .least_deadline_ms = 1,
                                              .most_deadline_ms = 50,
                                              .pause = milliseconds(100)});
  const double model_after = server.server().Metric("sightline_model_seconds_total") - model;
  const double wasted_after = server.server().Metric("sightline_wasted_model_seconds_total") - wasted;
  const LoadFigures after = client.RunClosed(normal);
  PrintRow("storm: requests a second", static_cast<double>(storm.sent) / storm.seconds, "requests/s", true,
           Describe(storm));
  PrintRow("storm: wasted model time, share of the storm's time", wasted_after / storm.seconds, "", false,
           absl::StrFormat("the model worked %.2f s of %.1f s, %.2f s of it in vain", model_after, storm.seconds,
                           wasted_after));
  for (const int since : {0, 2}) {
    PrintAgainst(absl::StrCat("p99 from ", since, " s after the storm on"), P99From(after, since), "ms", false,
                 "before the storm", p99, Describe(after));
  }
  return server.server().Terminate() == 0;
}

// Connections that send a byte a second: the first words of HTTP/2, or the first call of a connection that began well.
class SlowConnections {
 public:
  SlowConnections(int port, int count) {
    for (int i = 0; i < count; ++i) {
      auto connection = RawHttp2::Open(port);
      if (!connection.ok()) {
        std::fprintf(stderr, "load: %s after %d connections\n", std::string(connection.status().message()).c_str(), i);
        break;
      }
      std::string rest = RawHttp2::Preface();
      if (i % 2 == 0) {
        connection->Send(rest);
        rest = RawHttp2::Headers(1, "/sightline.v1.SearchService/Search") +
               RawHttp2::Data(1, RawHttp2::Message(std::string(10'000, 'x')), true);
      }
      connections_.push_back({*std::move(connection), std::move(rest)});
    }
    thread_ = std::thread([this] {
      while (!stopping_) {
        for (auto& [connection, rest] : connections_) {
          if (!rest.empty() && connection.Send(rest.substr(0, 1))) rest.erase(0, 1);
        }
        std::this_thread::sleep_for(seconds(1));
      }
    });
  }
  ~SlowConnections() {
    stopping_ = true;
    thread_.join();
  }
  size_t size() const { return connections_.size(); }

 private:
  std::vector<std::pair<RawHttp2, std::string>> connections_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

bool RunSlow(const Doses& doses) {
  server::RaiseFileLimit();
  LoadedServer server(doses.quick, {"--connection_handshake=10s"});
  if (!server.ok()) return false;
  const LoadClient::Closed normal = {.clients = 2, .duration = doses.slice};
  std::vector<double> quiet_p99, slow_p99, quiet_p50, slow_p50;
  server.client().RunClosed(normal);
  const double memory = server.ResidentMegabytes();
  double grown = 0;
  size_t connected = 0;
  // In turns: what else the machine does changes faster than a bench takes.
  for (int round = 0; round < doses.rounds; ++round) {
    const LoadFigures quiet = server.client().RunClosed(normal);
    quiet_p99.push_back(quiet.Percentile(0.99));
    quiet_p50.push_back(quiet.Percentile(0.5));
    const SlowConnections slow(server.server().grpc_port(), doses.slow_connections);
    connected = std::max(connected, slow.size());
    LoadClient::Closed longer = normal;
    longer.duration = doses.slow / doses.rounds;
    const LoadFigures healthy = server.client().RunClosed(longer);
    slow_p99.push_back(healthy.Percentile(0.99));
    slow_p50.push_back(healthy.Percentile(0.5));
    grown = std::max(grown, server.ResidentMegabytes() - memory);
    if (healthy.failed > 0) {
      std::fprintf(stderr, "load: %s\n", Describe(healthy).c_str());
      return false;
    }
  }
  const std::string suffix = absl::StrCat(" beside ", connected, " slow connections");
  PrintAgainst("healthy p99" + suffix, Median(slow_p99), "ms", false, "without them", Median(quiet_p99));
  PrintAgainst("healthy p50" + suffix, Median(slow_p50), "ms", false, "without them", Median(quiet_p50));
  PrintRow("memory they take", grown, "MB", false);
  return server.server().Terminate() == 0;
}

// Streams that are opened and reset at once, on one connection after the other.
bool RunResets(const Doses& doses) {
  LoadedServer server(doses.quick, {});
  if (!server.ok()) return false;
  const LoadClient::Closed normal = {.clients = 2, .duration = doses.slice};
  server.client().RunClosed(normal);
  const LoadFigures quiet = server.client().RunClosed(normal);
  const double memory = server.ResidentMegabytes();
  const int streams = 10'000;  // of one connection
  const int64_t most = doses.quick ? 10'000 : 100'000;
  std::atomic<int64_t> opened = 0;
  std::atomic<bool> over = false;
  // They stay: what the server has not read of a connection that is gone costs it nothing.
  std::vector<RawHttp2> connections;
  std::thread storm([&] {
    const std::string message = RawHttp2::Message("x");
    while (opened < most && !over) {
      auto opening = RawHttp2::Open(server.server().grpc_port());
      if (!opening.ok()) continue;
      RawHttp2* const connection = &connections.emplace_back(*std::move(opening));
      connection->Send(RawHttp2::Preface());
      std::string bytes;
      for (int i = 0; i < streams && opened < most; ++i) {
        const uint32_t id = 1 + 2 * static_cast<uint32_t>(i);
        absl::StrAppend(&bytes, RawHttp2::Headers(id, "/sightline.v1.SearchService/Search"),
                        RawHttp2::Data(id, message, true), RawHttp2::Reset(id));
        if (i % 100 != 99) continue;
        if (!connection->Send(bytes) || connection->Closed()) break;
        bytes.clear();
        opened += 100;
      }
    }
  });
  LoadClient::Closed longer = normal;
  longer.duration = doses.slow / 2;
  const LoadFigures healthy = server.client().RunClosed(longer);
  over = true;
  storm.join();
  PrintAgainst("healthy p99 beside streams that are reset", healthy.Percentile(0.99), "ms", false, "without them",
               quiet.Percentile(0.99),
               absl::StrCat(opened.load(), " streams on ", connections.size(), " connections, of which ",
                            server.server().Metric("sightline_rejected_total{reason=\"resets\"}"), " were closed; ",
                            Describe(healthy)));
  const double grown = server.ResidentMegabytes() - memory;
  PrintRow("memory they take", grown, "MB", false,
           absl::StrCat("in flight afterwards: ", server.server().Metric("sightline_requests_in_flight")));
  if (!doses.quick) {
    std::this_thread::sleep_for(seconds(35));  // the server gives free memory back twice a minute
    PrintRow("memory of them that is kept", server.ResidentMegabytes() - memory, "MB", false);
  }
  return healthy.failed == 0 && server.server().Terminate() == 0;
}

}  // namespace

int RunServerLoad(bool quick, const std::string& only) {
  base::SetLogLevel(base::Severity::kWarning);
  const Doses doses = DosesOf(quick);
  struct Part {
    const char* name;
    std::function<bool(const Doses&)> run;
  };
  const std::vector<Part> parts = {{"overload", RunOverload},
                                   {"batching", RunBatching},
                                   {"storm", RunStorm},
                                   {"slow", RunSlow},
                                   {"resets", RunResets}};
  const bool known =
      only.empty() || std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return only == part.name; });
  if (!known) {
    std::fprintf(stderr, "load: there is no part '%s'. Use overload, batching, storm, slow or resets.\n", only.c_str());
    return 2;
  }
  PrintMachine(kBench);
  bool good = true;
  for (const Part& part : parts) {
    if (only.empty() || only == part.name) good = part.run(doses) && good;
  }
  return good ? 0 : 1;
}

}  // namespace sightline::bench
