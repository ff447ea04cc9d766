//! The server's routes: what comes in is bounded in size, number and time, and what goes out is JSON.

use crate::metrics::Metrics;
use crate::options::Options;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Query, Request, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wgrad::Error;
use wgrad::data::Picture;
use wgrad::predict::Predictor;

/// Pictures of one request.
const MOST_PICTURES: usize = 64;
/// Pixels of a picture. A small file may hold very many.
const MOST_PIXELS: u64 = 32 << 20;
/// Draws of dropout for one request.
const MOST_SAMPLES: usize = 100;

/// What all routes share. Cheap to clone.
#[derive(Clone)]
pub struct Routes {
    shared: Arc<Shared>,
}

struct Shared {
    predictor: Predictor,
    picture: Picture,
    metrics: Metrics,
    /// A permit for each request that may be under way.
    permits: Arc<Semaphore>,
    /// A permit for each picture that may be decoded at a time. One is held to the end, even if the client has gone.
    decoders: Arc<Semaphore>,
    largest_body: usize,
    timeout: Duration,
}

/// A request's query.
#[derive(Deserialize)]
struct Asked {
    /// How many classes of each picture.
    #[serde(default = "five")]
    top: usize,
    /// Draws of dropout.
    samples: Option<usize>,
}

fn five() -> usize {
    5
}

#[derive(Serialize)]
struct Answer {
    predictions: Vec<Prediction>,
}

#[derive(Serialize)]
struct Prediction {
    classes: Vec<Class>,
}

#[derive(Serialize)]
struct Class {
    label: usize,
    name: String,
    probability: f32,
    /// Standard deviation over the draws of dropout.
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<f32>,
}

#[derive(Serialize)]
struct Described<'p> {
    network: Option<&'p str>,
    classes: &'p [String],
    input: &'p [usize],
    batch_sizes: Vec<usize>,
    adapter: String,
}

/// An answer that is none.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Reason {
            error: String,
        }
        let body = Json(Reason { error: self.1 });
        match self.0 {
            StatusCode::SERVICE_UNAVAILABLE => (self.0, [(header::RETRY_AFTER, "1")], body).into_response(),
            status => (status, body).into_response(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let status = match &error {
            Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Error::Setting { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal(status, error.to_string())
    }
}

impl Routes {
    pub fn new(predictor: Predictor, options: &Options) -> Result<Routes, String> {
        let picture = match predictor.input_shape()[..] {
            [1, rows, columns] => Picture::grey(rows, columns),
            [3, rows, columns] => Picture::rgb(rows, columns),
            _ => {
                let shape = predictor.input_shape();
                return Err(format!("the network takes {shape}, expected pictures of one or three channels"));
            }
        };
        let permits = Arc::new(Semaphore::new(options.queue));
        let picture = picture.most_pixels(MOST_PIXELS);
        let shared = Shared {
            metrics: Metrics::new(predictor.clone(), (Arc::clone(&permits), options.queue)),
            predictor,
            picture,
            permits,
            decoders: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
            largest_body: options.largest_body,
            timeout: options.timeout,
        };
        Ok(Routes { shared: Arc::new(shared) })
    }

    /// What is served.
    pub fn describe(&self) -> String {
        let metadata = self.shared.predictor.metadata();
        let network = metadata.network.as_deref().unwrap_or("a network");
        format!("serves {network}, which tells {} classes,", metadata.class_names.len())
    }

    /// What was answered.
    pub fn summary(&self) -> String {
        let [good, refused, busy] = [200, 400, 503].map(|code| self.shared.metrics.count(code));
        format!("answered {good}, refused {refused} that were no pictures and {busy} that were too many")
    }

    pub fn router(&self) -> Router {
        Router::new()
            // A wrong method counts as a request too.
            .route("/predict", post(predict).fallback(not_allowed))
            .layer(DefaultBodyLimit::max(self.shared.largest_body))
            .layer(middleware::from_fn_with_state(self.clone(), sized))
            .layer(middleware::from_fn_with_state(self.clone(), timed))
            .layer(middleware::from_fn_with_state(self.clone(), counted))
            .route("/", get(described))
            .route("/health", get(health))
            .route("/metrics", get(metrics))
            .fallback(absent)
            .method_not_allowed_fallback(not_allowed)
            .with_state(self.clone())
    }
}

async fn absent(address: Uri) -> Refusal {
    let message = format!("nothing is at {}; pictures are posted to /predict", address.path());
    Refusal(StatusCode::NOT_FOUND, message)
}

async fn not_allowed(method: Method, address: Uri) -> Refusal {
    let message = format!("{} does not take {method}; the header Allow says what it takes", address.path());
    Refusal(StatusCode::METHOD_NOT_ALLOWED, message)
}

/// Refuses a body that says it is too large, before it is sent.
async fn sized(
    State(Routes { shared }): State<Routes>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok()).unwrap_or(0);
    let limit = shared.largest_body;
    if length > limit as u64 {
        let message = format!("the body has {length} bytes, the limit is {limit}");
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    Ok(next.run(request).await)
}

/// Ends a request that takes too long.
async fn timed(
    State(Routes { shared }): State<Routes>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let late = |_| {
        let message = format!("the request was not through within {} s", shared.timeout.as_secs());
        Refusal(StatusCode::REQUEST_TIMEOUT, message)
    };
    tokio::time::timeout(shared.timeout, next.run(request)).await.map_err(late)
}

/// Lets so many requests through, and counts all.
async fn counted(State(Routes { shared }): State<Routes>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let response = match shared.permits.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => {
            let message = "as many requests are under way as may be; ask again later";
            Refusal(StatusCode::SERVICE_UNAVAILABLE, message.into()).into_response()
        }
    };
    shared.metrics.answered(response.status().as_u16(), start.elapsed());
    response
}

async fn predict(
    State(Routes { shared }): State<Routes>,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    let Query(asked) = asked.map_err(|e| Refusal(e.status(), e.body_text()))?;
    let files = files(request).await?;
    if files.is_empty() || files.len() > MOST_PICTURES {
        let message = format!("found {} pictures, expected 1 to {MOST_PICTURES}", files.len());
        return Err(Refusal(StatusCode::BAD_REQUEST, message));
    }
    if let Some(samples) = asked.samples.filter(|samples| !(2..=MOST_SAMPLES).contains(samples)) {
        let message = format!("samples: found {samples}, expected 2 to {MOST_SAMPLES}");
        return Err(Refusal(StatusCode::BAD_REQUEST, message));
    }
    let picture = shared.picture;
    let ended = |_| Refusal(StatusCode::SERVICE_UNAVAILABLE, "the server ends".into());
    let decoder = Arc::clone(&shared.decoders).acquire_owned().await.map_err(ended)?;
    // Decoding would hold up a thread that others wait for.
    let decode = move || {
        let _until_done = decoder;
        let decode = |(i, file): (usize, &Bytes)| {
            let refused = |e| Refusal(StatusCode::BAD_REQUEST, format!("picture {}: {e}", i + 1));
            picture.decode(file).map_err(refused)
        };
        files.iter().enumerate().map(decode).collect::<Result<Vec<_>, Refusal>>()
    };
    let failed = |e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("decoding: {e}"));
    let pixels = tokio::task::spawn_blocking(decode).await.map_err(failed)??.concat();
    let class = |class: wgrad::predict::Class, deviation: Option<f32>| {
        let wgrad::predict::Class { label, name, probability, .. } = class;
        Class { label, name, probability, deviation }
    };
    let Some(samples) = asked.samples else {
        let found = shared.predictor.classify_async(&pixels, asked.top).await?;
        let prediction = |classes: Vec<wgrad::predict::Class>| Prediction {
            classes: classes.into_iter().map(|found| class(found, None)).collect(),
        };
        return Ok(Json(Answer { predictions: found.into_iter().map(prediction).collect() }));
    };
    let estimate = shared.predictor.spread_async(&pixels, samples).await?;
    let variances = estimate.variance.to_f64();
    let each = variances.len() / estimate.mean.shape.first().copied().unwrap_or(1).max(1);
    let found = shared.predictor.most_probable(&estimate.mean, asked.top);
    let prediction = |(classes, variances): (Vec<wgrad::predict::Class>, &[f64])| Prediction {
        classes: classes
            .into_iter()
            .map(|found| {
                let deviation = variances[found.label].sqrt() as f32;
                class(found, Some(deviation))
            })
            .collect(),
    };
    Ok(Json(Answer { predictions: found.into_iter().zip(variances.chunks(each)).map(prediction).collect() }))
}

/// The files of a request: its body, or the parts of a form.
async fn files(request: Request) -> Result<Vec<Bytes>, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data")) {
        let body = Bytes::from_request(request, &()).await;
        return Ok(vec![body.map_err(|e| Refusal(e.status(), e.body_text()))?]);
    }
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|e| Refusal(e.status(), e.body_text()))?;
    let mut files = Vec::new();
    let failed = |e: axum::extract::multipart::MultipartError| Refusal(e.status(), e.body_text());
    while let Some(part) = form.next_field().await.map_err(failed)? {
        files.push(part.bytes().await.map_err(failed)?);
    }
    Ok(files)
}

async fn described(State(Routes { shared }): State<Routes>) -> Response {
    let predictor = &shared.predictor;
    let metadata = predictor.metadata();
    Json(Described {
        network: metadata.network.as_deref(),
        classes: &metadata.class_names,
        input: predictor.input_shape(),
        batch_sizes: predictor.open_batch_sizes(),
        adapter: predictor.device().summary().to_string(),
    })
    .into_response()
}

async fn health(State(Routes { shared }): State<Routes>) -> Response {
    match shared.predictor.check() {
        Ok(()) => "ok\n".into_response(),
        Err(error) => Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

async fn metrics(State(Routes { shared }): State<Routes>) -> Result<Response, Refusal> {
    let text = shared.metrics.text();
    let text = text.map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {e}")))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
