// `sightline-bench serve`: what the server adds to bare gRPC. Descriptor queries go to a tiny collection, so that
// neither a model nor the search itself counts; the peer echoes messages of the same size.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/log.h"
#include "server/app.h"
#include "sightline/v1/collection_service.grpc.pb.h"
#include "sightline/v1/index_service.grpc.pb.h"
#include "sightline/v1/search_service.grpc.pb.h"
#include "tests/bench/bench.h"
#include "tests/bench/echo_server.h"
#include "tests/bench/load.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

constexpr int kDim = 256;
constexpr int kImages = 100;
constexpr char kSpace[] = "bench";

v1::EmbeddingVector RandomVector(std::mt19937* random) {
  std::normal_distribution<float> normal;
  v1::EmbeddingVector vector;
  for (int i = 0; i < kDim; ++i) vector.add_values(normal(*random));
  vector.set_embedding_space(kSpace);
  return vector;
}

bool Fill(const std::shared_ptr<grpc::Channel>& channel, std::mt19937* random) {
  v1::CreateCollectionRequest create;
  create.set_name("bench");
  create.set_embedding_space(kSpace);
  create.set_descriptor_dim(kDim);
  grpc::ClientContext context;
  v1::CreateCollectionResponse created;
  grpc::Status status = v1::CollectionService::NewStub(channel)->CreateCollection(&context, create, &created);
  const auto stub = v1::IndexService::NewStub(channel);
  for (int i = 0; status.ok() && i < kImages; ++i) {
    v1::IndexRequest request;
    request.set_collection("bench");
    request.mutable_item()->set_id("image-" + std::to_string(i));
    *request.mutable_item()->mutable_global_descriptor() = RandomVector(random);
    v1::IndexResponse response;
    grpc::ClientContext item_context;
    status = stub->Index(&item_context, request, &response);
  }
  if (!status.ok()) std::fprintf(stderr, "serve: %s\n", status.error_message().c_str());
  return status.ok();
}

}  // namespace

int RunServe(bool quick) {
  base::SetLogLevel(base::Severity::kWarning);
  std::string folder = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  int exit_code = 0;
  {
    server::ServerOptions options;
    options.data_dir = folder;
    options.listen = "127.0.0.1:0";
    const auto app = server::App::Start(options, nullptr, {});
    if (!app.ok()) {
      std::fprintf(stderr, "serve: %s\n", std::string(app.status().message()).c_str());
      return 1;
    }
    EchoServer echo;
    const auto channel_to = [](int port) {
      return grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    };
    const auto ours_channel = channel_to((*app)->grpc_port());
    const auto echo_channel = channel_to(echo.port());
    std::mt19937 random(1);
    if (!Fill(ours_channel, &random)) return 1;

    const auto search = v1::SearchService::NewStub(ours_channel);
    v1::SearchRequest request;
    request.set_collection("bench");
    *request.mutable_query()->add_parts()->mutable_global_descriptor() = RandomVector(&random);
    const auto echo_stub = EchoService::NewStub(echo_channel);
    EchoMessage message;
    message.set_payload(std::string(request.ByteSizeLong(), 'x'));

    PrintMachine("serve");
    const std::chrono::milliseconds slice(quick ? 300 : 1500);
    const int rounds = quick ? 3 : 7;
    for (const int in_flight : {1, 16}) {
      std::vector<double> ours, peer, ours_p99, peer_p99;
      // In turns, so that what else the machine does falls on both alike; the first turn warms up.
      for (int round = 0; round <= rounds; ++round) {
        const LoadResult a = RunLoad<v1::SearchResponse>(
            in_flight, slice, [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
              return search->AsyncSearch(context, request, queue);
            });
        const LoadResult b =
            RunLoad<EchoMessage>(in_flight, slice, [&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
              return echo_stub->AsyncEcho(context, message, queue);
            });
        if (a.failed + b.failed > 0) {
          std::fprintf(stderr, "serve: %ld searches and %ld echoes failed\n", static_cast<long>(a.failed),
                       static_cast<long>(b.failed));
          exit_code = 1;
        }
        if (round == 0) continue;
        ours.push_back(a.per_second);
        peer.push_back(b.per_second);
        ours_p99.push_back(a.p99_ms);
        peer_p99.push_back(b.p99_ms);
      }
      const std::string suffix = ", " + std::to_string(in_flight) + " in flight";
      Print({.bench = "serve",
             .name = "descriptor search" + suffix,
             .value = Median(ours),
             .unit = "requests/s",
             .peer = "bare gRPC echo, one async completion-queue thread",
             .peer_value = Median(peer)});
      Print({.bench = "serve",
             .name = "descriptor search p99" + suffix,
             .value = Median(ours_p99),
             .unit = "ms",
             .peer = "bare gRPC echo, one async completion-queue thread",
             .peer_value = Median(peer_p99),
             .higher_is_better = false});
    }
    (*app)->Stop();
  }
  std::filesystem::remove_all(folder);
  return exit_code;
}

}  // namespace sightline::bench
