#include "server/app.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "base/version.h"
#include "index/database.h"
#include "index/kernels/inner_product.h"
#include "server/embedder.h"
#include "server/file_limit.h"
#include "server/free_memory.h"
#include "server/housekeeper.h"
#include "server/http/web.h"
#include "server/metrics.h"
#include "server/model_hub.h"
#include "server/observe/call_log.h"
#include "server/observe/collection_observer.h"
#include "server/observe/process.h"
#include "server/observe/shown_settings.h"
#include "server/operations.h"
#include "server/recovery_guard.h"
#include "server/rpc/bindings.h"
#include "server/rpc/rpc_server.h"
#include "server/security/address_warnings.h"
#include "server/security/security.h"
#include "server/services/duplicates.h"
#include "server/services/optimize.h"
#include "server/services/reembed.h"
#include "server/status_page.h"

namespace sightline::server {
namespace {

constexpr size_t kMaxWork = 4096;

constexpr auto kTidyPeriod = std::chrono::seconds(30);
constexpr int64_t kFreeMemory = 128'000'000;  // more than batches and queries take and give again and again
constexpr absl::Duration kKeepPeriod = absl::Seconds(15);  // between looks for idle streams, at most
constexpr size_t kMaxLoads = 16;                           // that wait beside a reload of every model
// Of the administrators' address, where there is one: it does not depend on what callers of the main one take.
constexpr ConnectionTable::Limits kAdminConnections = {.most = 256, .most_per_address = 128};
constexpr auto kAnswerGrace = absl::Seconds(2);  // for HTTP to send what gRPC has answered
constexpr auto kAdminGrace = absl::Seconds(2);   // after the callers of the main address have gone

ModelHub::Options HubOptions(const ServerOptions& options, const App::LoadModel& load) {
  ModelHub::Options hub;
  hub.root = options.model_root;
  hub.load = load;
  hub.load_options.allow_untrained = options.allow_untrained;
  hub.load_options.intra_op_threads = options.intra_op_threads;
  hub.placement = PlacementOf(options);
  hub.cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  hub.warm_up = options.warm_up;
  hub.warm_up_budget = options.warm_up_budget;
  if (!options.models.empty()) hub.default_model = options.models.front();
  return hub;
}

// What a server that starts is at, in words.
class StartProgress {
 public:
  void Set(std::string text) {
    base::Log(base::Severity::kDebug, "starting", {{"progress", text}});
    base::MutexLock lock(mutex_);
    text_ = std::move(text);
  }
  std::string Get() const {
    base::MutexLock lock(mutex_);
    return text_;
  }

 private:
  mutable base::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_) = "reading the data directory";
};

class AppImpl final : public App {
 public:
  AppImpl(const ServerOptions& options, const LoadModel& load_model, std::unique_ptr<image::Decoder> decoder,
          IndexCard card)
      : options_(options),
        shown_settings_(options.changed),
        metrics_(options.metrics_collections),
        decoder_(std::move(decoder)),
        card_(std::move(card)),
        call_log_({.slow_request = options.slow_request, .lines_per_second = options.log_lines_per_second},
                  base::Clock::Real(), metrics_),
        collection_observer_(metrics_.collections()),
        workers_({.name = "search", .threads = options.search_threads, .max_queue = kMaxWork, .on_thread_start = {}}),
        embedder_({.decode_threads = options_.decode_threads, .decoder = decoder_.get()}, options_.limits, metrics_),
        models_(HubOptions(options_, load_model), options_.limits, metrics_),
        loader_({.name = "models",
                 .threads = 1,
                 .max_queue = kMaxLoads + static_cast<size_t>(options.limits.max_models),
                 .on_thread_start = {}}) {}

  ~AppImpl() override { Stop(); }

  absl::Status Open(const BlasCheck& blas, const std::string& cpu_capability) {
    GatherFacts(blas, cpu_capability);
    // What is wrong with a key or a certificate should be known before anything that takes long.
    SIGHTLINE_ASSIGN_OR_RETURN(security_, Security::Open(options_.security, metrics_, base::Clock::Real()));
    for (std::string& warning : AddressWarnings(ListeningOf(options_))) facts_.warnings.push_back(std::move(warning));
    metrics_.SetCollector([this] { return Collect(); });
    // Before the collections and models, so that it can be seen that the server lives and is not ready.
    SIGHTLINE_RETURN_IF_ERROR(StartHttp());
    SIGHTLINE_RETURN_IF_ERROR(OpenDataDirectory());
    SIGHTLINE_RETURN_IF_ERROR(StartRpc());
    base::Log(base::Severity::kInfo, "listening",
              {{"grpc", absl::StrCat("port ", rpc_->port())},
               {"http", absl::StrCat("port ", http_port())},
               {"admin", absl::StrCat("port ", admin_port())}});
    SIGHTLINE_RETURN_IF_ERROR(OpenCollections());
    SIGHTLINE_RETURN_IF_ERROR(LoadModels());
    if (!options_.recovery) operations_->Resume();  // after the models: what is repeated may need one
    housekeeper_ = std::make_unique<Housekeeper>(kTidyPeriod, [this] {
      if (!options_.recovery) database_->TidySpaces();
      ReturnFreeMemory(kFreeMemory);
    });
    for (const std::string& warning : WarningsOf(facts_, models_)) base::Log(base::Severity::kWarning, warning);
    SetServing(true);
    SIGHTLINE_RETURN_IF_ERROR(WritePortFile());
    base::Log(
        base::Severity::kInfo, "serving",
        {{"version", base::VersionText()},
         {"grpc", absl::StrCat("port ", rpc_->port())},
         {"http", absl::StrCat("port ", http_port())},
         {"admin", absl::StrCat("port ", admin_port())},
         {"admin_grpc", absl::StrCat("port ", admin_grpc_port())},
         {"tls", security_->has_tls() ? "on" : "off"},
         {"keys", security_->has_keys() ? "on" : "off"},
         {"simd", facts_.simd_level},
         {"devices", absl::StrJoin(models_.devices(), ",")},
         {"collections", absl::StrCat(database_->List().size())},
         {"models", absl::StrCat(models_.List().size())},
         {"milliseconds", absl::StrCat(absl::ToInt64Milliseconds(base::Clock::Real().Now() - facts_.start_time))}});
    return absl::OkStatus();
  }

  int grpc_port() const override { return rpc_->port(); }
  int admin_grpc_port() const { return admin_rpc_ ? admin_rpc_->port() : 0; }
  int http_port() const override { return web_ ? web_->port() : 0; }
  int admin_port() const override { return web_ ? web_->admin_port() : 0; }

  void Reload(const ServerOptions& options) override {
    options_.models = options.models;
    options_.limits.drain_grace = options.limits.drain_grace;
    options_.limits.memory_budget_bytes = options.limits.memory_budget_bytes;
    database_->SetMemoryBudget(options.limits.memory_budget_bytes);
    base::SetLogLevel(options.log_level);
    shown_settings_.Reload(options.changed);
  }

  void ReloadFiles() override {
    security_->Reload();
    std::vector<std::string> names = options_.models;
    for (const ModelPtr& model : models_.List()) {
      if (std::find(names.begin(), names.end(), model->info().name) == names.end()) names.push_back(model->info().name);
    }
    for (const std::string& name : names) {
      // What becomes of it is in the log.
      const bool accepted = loader_.TrySubmit([this, name] { models_.Load(name).IgnoreError(); });
      if (!accepted) base::Log(base::Severity::kError, "model not loaded again: too much waits", {{"model", name}});
    }
    if (names.empty()) base::Log(base::Severity::kInfo, "no models to load again");
  }

  absl::Duration drain_grace() const override { return options_.limits.drain_grace; }

  void Stop() override {
    if (stopped_) return;
    stopped_ = true;
    metrics_.SetServing(false);
    serving_ = false;
    if (operations_ != nullptr) operations_->Drain();
    models_.Drain();
    if (rpc_ != nullptr) {
      base::Log(base::Severity::kInfo, "draining", {{"grace", absl::FormatDuration(options_.limits.drain_grace)}});
      // Administrators can watch until the others are served.
      Shut(*rpc_, *environment_, options_.limits.drain_grace, [this] { web_->Disconnect(); });
      if (admin_rpc_ != nullptr) {
        Shut(*admin_rpc_, *admin_environment_, kAdminGrace, [this] { web_->DisconnectAdmin(); });
      }
    }
    if (web_ != nullptr) web_->Drain(kAnswerGrace);
    web_.reset();
    housekeeper_.reset();
    stream_keeper_.reset();
    operations_.reset();  // waits for work under way; nobody can ask for it any more
  }

 private:
  // `disconnect` when what is in hand is answered and the server has not ended yet: HTTP callers are told until then.
  static void Shut(RpcServer& rpc, CallEnvironment& environment, absl::Duration grace,
                   const std::function<void()>& disconnect) {
    const base::Clock::Ticks deadline = base::Clock::Real().Steady() + absl::ToChronoNanoseconds(grace);
    rpc.SetServing(false);
    environment.Drain(deadline);
    disconnect();
    rpc.Shutdown(std::max(absl::ZeroDuration(), absl::FromChrono(deadline - base::Clock::Real().Steady())));
  }

  // Those of one address; `admin_elsewhere`: it leaves administrators to another one.
  std::vector<CallObserver*> Observers(bool admin_elsewhere) {
    // Ids first, so that what the others write down has them.
    std::vector<CallObserver*> observers = {&call_log_, &collection_observer_};
    for (CallObserver* observer : security_->Observers(admin_elsewhere)) observers.push_back(observer);
    if (options_.recovery) observers.push_back(&recovery_guard_);
    return observers;
  }

  void GatherFacts(const BlasCheck& blas, const std::string& cpu_capability) {
    facts_.version = base::Version();
    facts_.commit = base::Commit();
    facts_.simd_level = index::kernels::LevelName();
    facts_.start_time = base::Clock::Real().Now();
    facts_.blas = blas.name;
    facts_.cpu_capability = cpu_capability;
    if (!blas.warning.empty()) facts_.warnings.push_back(blas.warning);
    if (const uint64_t files = RaiseFileLimit(); files < kFewFiles) {
      facts_.warnings.push_back(absl::StrCat(
          "the process may have only ", files,
          " files open, sockets included: with about as many connections it takes no new ones. Raise the limit of "
          "open files (ulimit -n, or LimitNOFILE= of the systemd unit)."));
    }
    if (options_.recovery) {
      facts_.warnings.push_back(
          "the server runs with --recovery: it reads and deletes, and answers everything else with "
          "FAILED_PRECONDITION. "
          "Start it without --recovery once the data are well.");
    } else if (options_.low_memory) {
      facts_.warnings.push_back(
          "the server runs with --low_memory: searches compare every image, and read the disk for it. Start it without "
          "--low_memory where there is more memory.");
    }
    facts_.decodes_apart = decoder_ != nullptr && options_.decode_isolation == DecodeIsolation::kProcess;
    if (options_.decode_isolation == DecodeIsolation::kNone) {
      facts_.warnings.push_back(
          "--decode_isolation=none: images are decoded inside the server. One that crashes its codec ends it, "
          "--decode_timeout is not held to, and a lossless WebP of a few kilobytes may take a gigabyte for a moment. "
          "Use "
          "--decode_isolation=process.");
    }
    if (decoder_ != nullptr) {
      decoder_->OnRestart([this](absl::string_view reason) { metrics_.CountDecoderRestart(reason); });
    }
    metrics_.SetBuildInfo(facts_.version, facts_.commit, facts_.simd_level);
  }

  // What is fast: locks the directory and reads what operations there were.
  absl::Status OpenDataDirectory() {
    index::DatabaseOptions database_options;
    database_options.directory = options_.data_dir;
    database_options.limits = options_.limits.record;
    database_options.request_id_retention = options_.limits.request_id_retention;
    database_options.memory_budget_bytes = options_.limits.memory_budget_bytes;
    database_options.search_threads = options_.limits.search_parallelism;
    database_options.build_threads = options_.limits.build_threads;
    database_options.low_memory = options_.low_memory;
    database_options.recovery = options_.recovery;
    database_options.card = card_.rows;
    database_options.card_lists = card_.lists;
    database_options.open_later = true;
    SIGHTLINE_ASSIGN_OR_RETURN(database_, index::Database::Open(database_options));
    collection_observer_.SetDatabase(database_.get());
    SIGHTLINE_ASSIGN_OR_RETURN(
        operations_,
        Operations::Open({.directory = options_.data_dir,
                          .repeatable = {{kOptimizeKind, MakeOptimize(*database_)},
                                         {kReembedKind, MakeReembed(*database_, models_, embedder_)},
                                         {kFindDuplicatesKind, MakeFindDuplicates(*database_, models_)}}}));
    if (!operations_->set_aside().empty()) {
      facts_.warnings.push_back(absl::StrCat("the file of the operations was damaged and is now ",
                                             operations_->set_aside(),
                                             ": what ran or ended before this start is not listed."));
    }
    return absl::OkStatus();
  }

  absl::Status StartRpc() {
    context_ = std::make_unique<ServiceContext>(ServiceContext{*database_, models_, embedder_, *operations_, workers_,
                                                               loader_, options_.limits, metrics_, facts_, card_});
    const bool admin_elsewhere = !options_.admin_grpc_listen.empty();
    environment_ =
        std::make_unique<CallEnvironment>(base::Clock::Real(), options_.limits, metrics_, Observers(admin_elsewhere));
    rpc_ = std::make_unique<RpcServer>(
        RpcServer::Options{.address = options_.listen,
                           .threads = options_.grpc_threads,
                           .connections = options_.connections,
                           .connection_limits = {.most = options_.limits.max_connections,
                                                 .most_per_address = options_.limits.max_connections_per_address},
                           .credentials = security_->Credentials()},
        environment_.get());
    BindServices(rpc_.get());
    if (admin_elsewhere) {
      // Places of its own: administrators get through when the main address is full.
      admin_environment_ = std::make_unique<CallEnvironment>(base::Clock::Real(), options_.limits, metrics_,
                                                             Observers(/*admin_elsewhere=*/false));
      admin_rpc_ = std::make_unique<RpcServer>(RpcServer::Options{.address = options_.admin_grpc_listen,
                                                                  .setting = "admin_grpc_listen",
                                                                  .connections = options_.connections,
                                                                  .connection_limits = kAdminConnections,
                                                                  .credentials = security_->Credentials()},
                                               admin_environment_.get());
      BindServices(admin_rpc_.get());
    }
    SIGHTLINE_RETURN_IF_ERROR(rpc_->Start());
    if (admin_rpc_ != nullptr) SIGHTLINE_RETURN_IF_ERROR(admin_rpc_->Start());
    web_->Connect(rpc_->InProcessChannel(), admin_rpc_ == nullptr ? nullptr : admin_rpc_->InProcessChannel());
    stream_keeper_ = std::make_unique<Housekeeper>(
        absl::ToChronoNanoseconds(std::min(options_.stream_idle / 4, kKeepPeriod)), [this] {
          environment_->EndIdleStreams(options_.stream_idle);
          if (admin_environment_ != nullptr) admin_environment_->EndIdleStreams(options_.stream_idle);
        });
    return absl::OkStatus();
  }

  absl::Status OpenCollections() {
    const base::Clock::Ticks begin = base::Clock::Real().Steady();
    const auto opened = [&](int64_t done, int64_t total) {
      start_progress_.Set(absl::StrCat("opening collections, ", done, " of ", total, " are open"));
      return true;
    };
    start_progress_.Set("opening collections");
    SIGHTLINE_RETURN_IF_ERROR(database_->OpenCollections(opened));
    base::Log(base::Severity::kInfo, "collections opened",
              {{"collections", absl::StrCat(database_->List().size())},
               {"damaged", absl::StrCat(database_->damaged().size())},
               {"milliseconds",
                absl::StrCat(static_cast<int64_t>(base::MillisecondsBetween(begin, base::Clock::Real().Steady())))}});
    return absl::OkStatus();
  }

  absl::Status LoadModels() {
    for (const std::string& name : options_.models) {
      start_progress_.Set(absl::StrCat("loading the model ", name));
      SIGHTLINE_RETURN_IF_ERROR(models_.Load(name).status());
    }
    return absl::OkStatus();
  }

  void BindServices(RpcServer* server) {
    for (const auto bind : {BindSearchService, BindIndexService, BindCollectionService, BindServerService,
                            BindModelService, BindOperationService}) {
      bindings_.push_back(bind(*context_, server));
    }
  }

  absl::Status StartHttp() {
    const auto ready = [this] {
      if (serving_) return HttpReply{200, "text/plain; charset=utf-8", "ready\n"};
      const std::string state = started_ ? "draining" : start_progress_.Get();
      return HttpReply{503, "text/plain; charset=utf-8", absl::StrCat("not ready: ", state, "\n")};
    };
    const auto alive = [] { return HttpReply{200, "text/plain; charset=utf-8", "ok\n"}; };
    const auto metrics = [this] { return HttpReply{200, "text/plain; version=0.0.4; charset=utf-8", metrics_.Text()}; };
    const auto status = [this] { return HttpReply{200, "text/plain; charset=utf-8", StatusText()}; };
    SIGHTLINE_ASSIGN_OR_RETURN(
        web_, Web::Start(options_, security_->tls(), {{"/healthz", alive}, {"/readyz", ready}},
                         {{"/healthz", alive}, {"/readyz", ready}, {"/metrics", metrics}, {"/statusz", status}}));
    return absl::OkStatus();
  }

  void SetServing(bool serving) {
    if (serving) environment_->AcceptCalls();
    if (serving && admin_environment_ != nullptr) admin_environment_->AcceptCalls();
    started_ = true;
    serving_ = serving;
    rpc_->SetServing(serving);
    if (admin_rpc_ != nullptr) admin_rpc_->SetServing(serving);
    metrics_.SetServing(serving);
  }

  absl::Status WritePortFile() {
    if (options_.port_file.empty()) return absl::OkStatus();
    return base::WriteFileDurably(options_.port_file,
                                  absl::StrCat("{\"grpc\": ", grpc_port(), ", \"http\": ", http_port(), ", \"admin\": ",
                                               admin_port(), ", \"admin_grpc\": ", admin_grpc_port(), "}\n"));
  }

  std::string StatusText() {
    if (!started_) {
      return absl::StrCat("sightline-server ", base::VersionText(), "\nstarting: ", start_progress_.Get(), "\n");
    }
    return StatusPage(facts_, serving_, metrics_, *database_, models_, *operations_, options_.limits,
                      {.settings = shown_settings_.Get(),
                       .queues = Queues(),
                       .decode_memory = embedder_.decode_memory(),
                       .card = CardText(card_),
                       .slow = call_log_.last_slow(),
                       .failures = call_log_.last_failures()});
  }

  std::vector<std::pair<std::string, size_t>> Queues() const {
    return {{"decode", embedder_.decode_queue_depth()},
            {"model", models_.model_queue_depth()},
            {"search", workers_.queue_depth()}};
  }

  std::vector<Metrics::Sample> Collect() {
    std::vector<Metrics::Sample> samples;
    for (const auto& [queue, depth] : Queues()) {
      samples.push_back({"sightline_queue_depth", {{"queue", queue}}, static_cast<double>(depth)});
    }
    const absl::Duration up = base::Clock::Real().Now() - facts_.start_time;
    samples.push_back({"sightline_uptime_seconds", {}, absl::ToDoubleSeconds(up)});
    // While the collections are opened there is nothing to say of them.
    if (started_) AddSamples(*database_, models_, *operations_, options_.limits, &metrics_.collections(), &samples);
    AddCardSamples(card_, &samples);
    AddProcessSamples(options_.data_dir, &samples);
    // The addresses are there before the data are.
    if (started_) {
      samples.push_back({"sightline_connections", {{"listener", "main"}}, static_cast<double>(rpc_->connections())});
      if (admin_rpc_ != nullptr) {
        samples.push_back(
            {"sightline_connections", {{"listener", "admin"}}, static_cast<double>(admin_rpc_->connections())});
      }
    }
    samples.push_back({"sightline_decode_memory_bytes", {}, static_cast<double>(embedder_.decode_memory())});
    for (Metrics::Sample& sample : security_->Samples()) samples.push_back(std::move(sample));
    return samples;
  }

  ServerOptions options_;  // constant but for what Reload sets
  ShownSettings shown_settings_;
  Metrics metrics_;
  const std::unique_ptr<image::Decoder> decoder_;  // null: the embedder's own
  const IndexCard card_;
  CallLog call_log_;
  CollectionObserver collection_observer_;
  ServerFacts facts_;
  std::unique_ptr<index::Database> database_;
  std::unique_ptr<Operations> operations_;  // ends before the database it works on, as do the workers
  std::unique_ptr<Housekeeper> housekeeper_;
  base::ThreadPool workers_;
  Embedder embedder_;
  ModelHub models_;
  base::ThreadPool loader_;  // loads and unloads models, one after the other
  RecoveryGuard recovery_guard_;
  std::unique_ptr<Security> security_;
  std::unique_ptr<CallEnvironment> environment_;
  std::unique_ptr<CallEnvironment> admin_environment_;  // null where the main address serves administrators too
  std::unique_ptr<ServiceContext> context_;
  std::vector<std::unique_ptr<Binding>> bindings_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<RpcServer> admin_rpc_;  // as admin_environment_
  std::unique_ptr<Housekeeper> stream_keeper_;
  std::unique_ptr<Web> web_;
  StartProgress start_progress_;
  std::atomic<bool> started_ = false;
  std::atomic<bool> serving_ = false;
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<App>> App::Start(const ServerOptions& options, const LoadModel& load_model,
                                                const BlasCheck& blas, const std::string& cpu_capability,
                                                std::unique_ptr<image::Decoder> decoder, IndexCard card) {
  auto app = std::make_unique<AppImpl>(options, load_model, std::move(decoder), std::move(card));
  SIGHTLINE_RETURN_IF_ERROR(app->Open(blas, cpu_capability));
  return std::unique_ptr<App>(std::move(app));
}

}  // namespace sightline::server
