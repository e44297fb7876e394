// App: the whole server, from options to a running process and back.
//
// Threading: Start, Run and Stop from the main thread. Ownership: owns every part.
// Failure: Start says what keeps the server from starting; a damaged collection does not.
//
//   auto app = App::Start(options, &model::Model::Load, CheckBlas());
//   ... wait for a signal ...
//   (*app)->Stop();
#ifndef SIGHTLINE_SERVER_APP_H_
#define SIGHTLINE_SERVER_APP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/image/sandbox/decoder.h"
#include "model/model.h"
#include "server/blas_check.h"
#include "server/index_card.h"
#include "server/model_hub.h"
#include "server/options.h"

namespace sightline::server {

class App {
 public:
  // How models come into the server: the program passes model::Model::Load, so that a server without models, a test or
  // a benchmark links no LibTorch.
  using LoadModel = ModelHub::LoadModel;

  // Listens at once, answering that it is not ready; opens the data, loads the models, and is ready when it returns.
  // `cpu_capability` says which vector instructions the models' libraries use. Without a `decoder` images are decoded
  // in this process. `card` is what OpenIndexCard has made of the options.
  static absl::StatusOr<std::unique_ptr<App>> Start(const ServerOptions& options, const LoadModel& load_model,
                                                    const BlasCheck& blas, const std::string& cpu_capability = "",
                                                    std::unique_ptr<image::Decoder> decoder = nullptr,
                                                    IndexCard card = {});
  virtual ~App() = default;

  virtual int grpc_port() const = 0;
  virtual int http_port() const = 0;   // 0 when it does not listen
  virtual int admin_port() const = 0;  // 0 when it does not listen

  // Puts the settings of kLiveSettings in force. Those of `options` that are not among them are left as they were.
  virtual void Reload(const ServerOptions& options) = 0;

  // Reads keys and certificates again, opens the audit log again, and loads the models of --models and those loaded
  // since again, in the background. What is refused leaves what was in force; the log says what happened.
  virtual void ReloadFiles() = 0;

  // How long Stop waits for requests in hand.
  virtual absl::Duration drain_grace() const = 0;

  // Drains within the grace time, then waits for what cannot be interrupted: the rest of a model's load, a step of an
  // operation. Safe to call twice.
  virtual void Stop() = 0;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_APP_H_
