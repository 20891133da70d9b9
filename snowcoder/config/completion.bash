# Completes the words of `snowcoder`. Presets are looked up in conf/ at each TAB, keys are those of when this was printed.
_snowcoder_verbs='@VERBS@'
_snowcoder_of_folders='@OF_FOLDERS@'
_snowcoder_keys='@KEYS@'
_snowcoder_conf='@CONF@'

_snowcoder() {
  local line=${COMP_LINE:0:$COMP_POINT} IFS=$'\n' word before each verb='' helping=''
  word=${line##*[[:space:]]} # of the line, for COMP_WORDS of bash are split at "="
  before=${line%"$word"}
  before=${before#*[[:space:]]}
  before=${before#"${before%%[![:space:]]*}"}
  COMPREPLY=()
  [[ $word == -* ]] && COMPREPLY=('--help ') && return
  case $before in
    help\ *) before=${before#help } helping=1 ;;
    'completion ') _snowcoder_offer 'bash ' 'zsh ' ; return ;;
  esac
  for each in $_snowcoder_verbs; do
    [[ $each == "$before$word"* ]] && each=${each#"$before"} && _snowcoder_offer "${each%% *} "
    [[ $before == "$each "* ]] && verb=$each
  done
  for each in $_snowcoder_of_folders; do [[ $verb == "$each" ]] && verb=''; done
  [[ -n $verb && -z $helping ]] && _snowcoder_offer_keys
}

_snowcoder_offer_keys() {
  local own=${SNOWCODER_CONF:-conf} conf=$_snowcoder_conf
  [[ -f $own/config.yaml ]] && conf=$own own=''
  for each in "$conf"/*/*.yaml ${own:+"$own"/*/*.yaml}; do
    [[ -e $each ]] || continue
    each=${each#"$conf"/} each=${each#"$own"/} each=${each%.yaml}
    _snowcoder_offer_part "${each/\//=} "
  done
  for each in $_snowcoder_keys; do _snowcoder_offer_part "$each"; done
}

# As much of a key as comes next: up to a dot or the "=".
_snowcoder_offer_part() {
  [[ $1 == "$word"* ]] || return
  local part=$1 rest=${1:${#word}}
  if [[ $word != *=* ]]; then
    case ${rest%%=*} in
      *.*) part=$word${rest%%.*}. ;;
      *) part=${1%%=*}= ;;
    esac
  fi
  [[ $before == 'config explain ' ]] && part=${part/%=/ }
  _snowcoder_offer "$part"
}

# Where "=" divides words, what follows it is one of its own.
_snowcoder_offer() {
  local offered
  for offered in "$@"; do
    [[ $offered == "$word"* ]] || continue
    [[ ${COMP_WORDBREAKS-} == *=* && $word == *=* ]] && offered=${offered#"${word%%=*}="}
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[${#COMPREPLY[@]} - 1]} == "$offered" ]] || COMPREPLY+=("$offered")
  done
}

complete -o default -o nospace -F _snowcoder snowcoder
